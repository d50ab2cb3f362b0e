"""Decoding one image: colors, depths, orientation, damage; resizing and channels."""

import struct

import cv2
import numpy as np
import pytest

from src.data.decode import (
    decode,
    resize,
    resize_and_convert,
    resize_and_convert_all,
    single_threaded_opencv,
)
from tests.fixtures.datasets import encode, random_images
from tests.fixtures.pictures import png_chunk

IMAGE = random_images(1, size=12)[0]
LOSSLESS = [".png", ".bmp", ".tif", ".ppm"]


def smooth(height: int = 24, width: int = 16) -> np.ndarray:
    """Corners of distinct colors that survive JPEG."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (255, 0, 0)
    image[: height // 2, width // 2 :] = (0, 255, 0)
    image[height // 2 :, : width // 2] = (0, 0, 255)
    return image


def with_segment(jpeg: bytes, payload: bytes) -> bytes:
    """Insert an APP1 segment behind the start marker."""
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def exif(orientation: int) -> bytes:
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4)


@pytest.mark.parametrize("extension", LOSSLESS)
def test_lossless_formats_keep_every_pixel_as_rgb(extension: str):
    assert np.array_equal(decode(encode(IMAGE, extension), "x"), IMAGE)


@pytest.mark.parametrize("extension", [".jpg", ".webp"])
def test_lossy_formats_are_rgb(extension: str):
    decoded = decode(encode(smooth(), extension), "x", channels=3)
    assert decoded.shape == (24, 16, 3)
    assert np.abs(decoded[3, 3].astype(int) - (255, 0, 0)).max() < 40
    assert np.abs(decoded[20, 3].astype(int) - (0, 0, 255)).max() < 40


@pytest.mark.parametrize(
    ("channels", "shape"), [(None, (12, 12, 1)), (1, (12, 12, 1)), (3, (12, 12, 3))]
)
@pytest.mark.parametrize("extension", [".png", ".pgm", ".tif"])
def test_gray_files(extension: str, channels: int | None, shape: tuple[int, ...]):
    decoded = decode(encode(IMAGE[..., 0], extension), "x", channels=channels)
    assert decoded.shape == shape
    assert (decoded == IMAGE[..., :1]).all()


def test_color_to_gray_is_luma():
    red = np.full((4, 4, 3), (255, 0, 0), np.uint8)
    assert (decode(encode(red), "x", channels=1) == 76).all()  # 0.299 * 255
    assert (resize_and_convert_all(red[None], None, 1) == 76).all()


def test_transparent_pixels_are_laid_on_white():
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[..., 0] = 200
    rgba[0, :, 3] = 255
    rgba[1, :, 3] = 128
    decoded = decode(encode(rgba), "x")
    assert decoded[0, 0].tolist() == [200, 0, 0]
    assert decoded[1, 0].tolist() == [227, 127, 127]
    assert decoded[3, 0].tolist() == [255, 255, 255]


def test_palette_becomes_color():
    def chunk(kind: bytes, content: bytes) -> bytes:
        import zlib

        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    import zlib

    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0))
    png += chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60])) + chunk(b"tRNS", bytes([255, 0]))
    png += chunk(b"IDAT", zlib.compress(b"\0\0\1")) + chunk(b"IEND", b"")
    assert decode(png, "x").tolist() == [[[10, 20, 30], [255, 255, 255]]]


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_become_8(channels: int):
    deep = np.array([0, 128, 129, 32768, 65535], np.uint16)[:, None, None].repeat(channels, 2)
    stored = deep[..., 0] if channels == 1 else deep
    png = cv2.imencode(".png", stored)[1].tobytes()
    assert decode(png, "x")[:, 0, 0].tolist() == [0, 0, 1, 128, 255]


def test_float_samples_are_refused():
    tiff = cv2.imencode(".tiff", np.zeros((4, 4, 3), np.float32))[1].tobytes()
    with pytest.raises(ValueError, match=r"scan\.tiff has float32 samples"):
        decode(tiff, "scan.tiff")


def test_exif_orientation_is_applied():
    jpeg = encode(smooth(24, 16), ".jpg")
    turned = decode(with_segment(jpeg, exif(6)), "x")  # 6: to be turned clockwise
    assert turned.shape == (16, 24, 3)
    assert np.abs(turned.astype(int) - np.rot90(smooth(24, 16), -1)).mean() < 20
    assert decode(with_segment(jpeg, exif(1)), "x").shape == (24, 16, 3)


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp", ".bmp", ".ppm", ".tif"])
@pytest.mark.parametrize("kept", [0.3, 0.8, -2])
def test_truncated_files_are_named(extension: str, kept: float):
    whole = encode(random_images(1, size=64)[0], extension)
    cut = whole[: int(len(whole) * kept)] if kept > 0 else whole[: int(kept)]
    with single_threaded_opencv(), pytest.raises(ValueError, match=r"^cat/1\.img "):
        decode(cut, "cat/1.img")


def test_truncated_jpeg_and_png_say_so_before_any_decoder_does():
    lacking = {".jpg": "no end marker", ".png": "no IEND", ".webp": "bytes declared"}
    for extension, missing in lacking.items():
        with pytest.raises(ValueError, match=f"is truncated: .*{missing}"):
            decode(encode(smooth(), extension)[:-4], "x")
    with pytest.raises(ValueError, match=r"is truncated: .*no end marker"):
        decode(b"\xff\xd8\xff\xd9 an end before any pixel", "x")


def test_a_thumbnails_end_marker_does_not_pass_for_the_images():
    thumbnail = encode(smooth(8, 8), ".jpg")
    whole = with_segment(encode(smooth(), ".jpg"), b"Exif\0\0" + thumbnail)
    assert decode(whole, "x").shape == (24, 16, 3)
    with pytest.raises(ValueError, match="truncated"):
        decode(whole[:-30], "x")
    with pytest.raises(ValueError, match="truncated"):
        decode(whole[: 6 + len(thumbnail) + 30], "x")


@pytest.mark.parametrize("padding", [b"\0" * 100, b"\n", b"appended movie \xff\x01" * 9])
def test_what_follows_a_jpeg_does_no_harm(padding: bytes):
    jpeg = encode(smooth(), ".jpg")
    assert np.array_equal(decode(jpeg + padding, "x"), decode(jpeg, "x"))


def test_progressive_jpeg_with_restarts_and_a_trailer():
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 1]
    jpeg = cv2.imencode(".jpg", random_images(1, size=64)[0], options)[1].tobytes()
    assert decode(jpeg + b"trailer", "x").shape == (64, 64, 3)
    with pytest.raises(ValueError, match="truncated"):
        decode(jpeg[: len(jpeg) // 2], "x")


@pytest.mark.parametrize(
    "content",
    [
        b"not an image at all",
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IEND", b""),
        b"\xff\xd8\xff\xd9",
        b"BM" + bytes(60),
    ],
)
def test_no_image(content: bytes):
    with single_threaded_opencv(), pytest.raises(ValueError, match=r"a/b\.png cannot be decoded"):
        decode(content, "a/b.png")


def test_damaged_pixels():
    png = bytearray(encode(IMAGE))
    png[len(png) // 2] ^= 0x55
    with (
        single_threaded_opencv(),
        pytest.raises(ValueError, match="x is damaged: the checksum of its IDAT"),
    ):
        decode(bytes(png), "x")


def test_checksums_of_what_is_not_the_picture_do_not_matter():
    png = encode(IMAGE)
    text = png[:33] + png_chunk(b"teXt", b"a\0b")[:-1] + b"?" + png[33:]
    assert np.array_equal(decode(text, "x"), IMAGE)


def test_empty_file():
    with pytest.raises(ValueError, match=r"x\.png is empty"):
        decode(b"", "x.png")


def test_shrinking_averages_areas():
    assert np.array_equal(
        resize(np.array([[0, 100], [50, 250]], np.uint8)[..., None], (1, 1)), [[[100]]]
    )
    checkers = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[..., None]
    assert np.abs(resize(checkers, (8, 8)).astype(int) - 127).max() <= 1


def test_growing_interpolates():
    grown = resize(np.array([[0, 100]], np.uint8)[..., None], (1, 4))
    assert grown[0, :, 0].tolist() == [0, 25, 75, 100]


def test_one_side_may_shrink_and_the_other_grow():
    stripes = np.tile(np.array([0, 200], np.uint8), 32)[None, :, None]  # 1 x 64
    mixed = resize(stripes, (4, 8))
    assert mixed.shape == (4, 8, 1)
    assert (mixed == 100).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_batch_is_resized_image_by_image(channels: int):
    images = random_images(5, size=16, channels=channels)
    resized = resize_and_convert_all(images, (8, 24), None)
    assert resized.shape == (5, 8, 24, channels)
    assert np.array_equal(resized[3], resize(images[3], (8, 24)))
    assert resize_and_convert_all(images, (16, 16), None) is images


def test_decode_resizes():
    assert np.array_equal(decode(encode(IMAGE), "x", size=(6, 6)), resize(IMAGE, (6, 6)))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("image", [IMAGE, IMAGE[..., 0]])
def test_a_decoded_image_is_fitted_as_decoding_would_have(image: np.ndarray, channels: int):
    png = encode(image)
    fitted = resize_and_convert(decode(png, "x"), (5, 16), channels)
    assert np.array_equal(fitted, decode(png, "x", size=(5, 16), channels=channels))


def test_gray_to_rgb_repeats():
    gray = random_images(2, channels=1)
    assert np.array_equal(resize_and_convert_all(gray, None, 3), np.concatenate([gray] * 3, axis=3))
    assert resize_and_convert_all(gray, None, None) is gray
    assert resize_and_convert_all(gray, None, 1) is gray


def test_opencv_gets_its_threads_back():
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    with single_threaded_opencv():
        assert cv2.getNumThreads() <= 1
    assert cv2.getNumThreads() == 3
    cv2.setNumThreads(before)
