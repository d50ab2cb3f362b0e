"""What headers say: frames, pages, sizes, colors that decoders get wrong."""

import struct

import pytest

from src.data.decode import decode
from src.data.image_checks import unsupported_reason
from tests.fixtures.datasets import encode, random_images
from tests.fixtures.pictures import FRAMES, NOISE, animated, enormous_png, pillow

ENDINGS = [".png", ".jpg", ".bmp", ".webp", ".tif", ".ppm"]


@pytest.mark.parametrize("extension", ENDINGS)
def test_single_images_pass(extension: str):
    assert unsupported_reason(encode(NOISE, extension)) is None


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_several_frames_do_not_and_one_does(kind: str):
    assert "more than one frame or page" in str(unsupported_reason(animated(kind)))
    assert unsupported_reason(pillow(FRAMES[0], kind)) is None


def test_the_thumbnail_of_a_tiff_is_no_page():
    two = bytearray(pillow(FRAMES[0], "TIFF", save_all=True, append_images=[FRAMES[1]]))
    (first,) = struct.unpack_from("<I", two, 4)
    (entries,) = struct.unpack_from("<H", two, first)
    (second,) = struct.unpack_from("<I", two, first + 2 + 12 * entries)
    # Its first entry, whatever it was, says: a reduced image.
    assert unsupported_reason(bytes(two)) is not None
    struct.pack_into("<HHII", two, second + 2, 254, 4, 1, 1)
    assert unsupported_reason(bytes(two)) is None


def test_a_chain_of_pages_without_end():
    loop = bytearray(encode(NOISE, ".tif"))
    (first,) = struct.unpack_from("<I", loop, 4)
    (entries,) = struct.unpack_from("<H", loop, first)
    struct.pack_into("<I", loop, first + 2 + 12 * entries, first)
    assert unsupported_reason(bytes(loop)) is None


def test_pixels_are_limited():
    some = bytes(1 << 19)
    assert unsupported_reason(enormous_png(16_384) + some) is None
    assert "declares 16385x16385 pixels" in str(unsupported_reason(enormous_png(16_385) + some))


def test_a_few_bytes_do_not_make_a_large_image():
    assert unsupported_reason(enormous_png(5_000)) is None
    assert "declares 6000x6000 pixels" in str(unsupported_reason(enormous_png(6_000)))


def test_the_size_of_a_jpeg_behind_other_segments():
    jpeg = encode(random_images(1, size=64)[0], ".jpg")
    comment = b"\xff\xfe\x00\x06\xff\xc0\x00\x11"
    at = jpeg.index(b"\xff\xc0") + 5
    large = jpeg[:2] + comment + b"\xff" + jpeg[2:at] + b"\xff\xff\xff\xff" + jpeg[at + 4 :]
    assert "declares 65535x65535 pixels" in str(unsupported_reason(large))


def test_the_size_of_a_gif():
    large = bytearray(pillow(FRAMES[0], "GIF"))
    large[6:10] = b"\xff\xff\xff\xff"
    assert "declares 65535x65535 pixels" in str(unsupported_reason(bytes(large)))


def test_the_size_of_jpeg_2000():
    image = pillow(FRAMES[0], "JPEG2000")
    assert unsupported_reason(image) is None
    at = image.index(b"\xff\x4f\xff\x51") + 8
    large = image[:at] + struct.pack(">2I", 65_535, 65_535) + image[at + 8 :]
    assert "declares 65535x65535 pixels" in str(unsupported_reason(large))


@pytest.mark.parametrize("extension", ENDINGS)
def test_every_beginning_of_a_file_is_answered(extension: str):
    whole = encode(NOISE, extension)
    for length in range(1, min(len(whole), 200)):
        assert unsupported_reason(whole[:length]) is None or "pixels" in str(
            unsupported_reason(whole[:length])
        )


def test_the_file_is_named():
    with pytest.raises(ValueError, match=r"^cat/1\.gif has more than one frame or page"):
        decode(animated("GIF"), "cat/1.gif")
