"""What OpenCV does here: decode, convert colours, resize, draw. No other module imports it.

Everything here is RGB or grey, uint8, (height, width, channels); OpenCV's BGR order does not
leave this file.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.image_checks import PNG_MAGIC, damage_reason, unreadable_format, unsupported_reason

_PNG_COLOUR_TYPE, _PNG_WITH_ALPHA = 25, (4, 6)  # its place in the header; grey and RGB with alpha
_CHUNK = 1024  # images a thread resizes at a time


OPENCV_VERSION = cv2.__version__


def disable_opencv_threads() -> None:
    """Keep OpenCV to the calling thread: its own ones and a forked process may deadlock."""
    cv2.setNumThreads(0)


@contextmanager
def single_threaded_opencv() -> Iterator[None]:
    """Keep OpenCV to the calling thread and its own messages off the terminal, for a while.

    Its thread pool only slows down images this small when several threads decode anyway; what it
    would print about a damaged file, the error says.
    """
    threads, level = cv2.getNumThreads(), cv2.utils.logging.getLogLevel()
    disable_opencv_threads()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
        cv2.utils.logging.setLogLevel(level)


def _may_be_transparent(buffer: bytes) -> bool:
    if buffer.startswith(PNG_MAGIC):
        with_alpha = buffer[_PNG_COLOUR_TYPE] in _PNG_WITH_ALPHA
        return with_alpha or b"tRNS" in buffer[: buffer.find(b"IDAT")]
    return buffer[:4] in (b"RIFF", b"II*\0", b"MM\0*")


def _to_bytes(image: NDArray[np.generic], name: str, peaks: list[int] | None) -> NDArray[np.uint8]:
    """Bring 16-bit samples to 8 bits: 0..65535 to 0..255, rounded to the nearest."""
    if image.dtype == np.uint16:
        if peaks is not None:
            peaks.append(int(image.max()))
        return ((image.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if image.dtype != np.uint8:
        raise ValueError(
            f"{name} has {image.dtype} samples: only images of 8 or 16 bits a channel are accepted"
        )
    return image.astype(np.uint8, copy=False)


def _over_white(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay BGRA pixels on white paper."""
    alpha = image[..., 3:].astype(np.uint16)
    return ((image[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _read(
    buffer: bytes, flags: int, name: str, peaks: list[int] | None = None
) -> NDArray[np.uint8]:
    try:
        image = cv2.imdecode(np.frombuffer(buffer, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        if kind := unreadable_format(buffer):
            raise ValueError(f"{name} is {kind}, which OpenCV cannot read: convert it")
        raise ValueError(f"{name} cannot be decoded: it is damaged or not an image")
    return _to_bytes(image, name, peaks)


def decode(
    buffer: bytes,
    name: str,
    *,
    channels: int | None = None,
    size: tuple[int, int] | None = None,
    peaks: list[int] | None = None,
) -> NDArray[np.uint8]:
    """Decode one image file.

    The EXIF orientation is applied. Palettes become colours, 16 bits become 8, and transparent
    pixels are laid on white (an image that has any is taken as it is stored, unrotated). CMYK is
    mixed without a colour profile, (1 - C)(1 - K) for red and so on, inverted in JPEG as Adobe
    writes it: what Pillow does.

    Args:
        buffer: the file's content: in a format of ``IMAGE_SUFFIXES``, whatever its name.
        name: what to call the file in an error.
        channels: 3 for RGB, 1 for grey, None for what the file holds.
        size: (height, width) to resize to, see :func:`resize`; None keeps the file's.
        peaks: gets the highest sample of an image with 16 bits a channel, 0..65535.

    Returns:
        uint8 (H, W, C).

    Raises:
        ValueError: the file is empty, truncated, damaged or no image, has several frames or
            pages, over 2^28 pixels, L*a*b* colours or float samples.
    """
    if not buffer:
        raise ValueError(f"{name} is empty")
    wrong = damage_reason(buffer) or unsupported_reason(buffer)
    if wrong:
        raise ValueError(f"{name} {wrong}")
    image = _read(buffer, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR, name, peaks)
    if _may_be_transparent(buffer):
        stored = _read(buffer, cv2.IMREAD_UNCHANGED, name)
        if stored.ndim == 3 and stored.shape[2] == 4 and stored[..., 3].min() < 255:
            image = _over_white(stored)
    if size is not None:
        image = resize(image, size)
    return _to_rgb(image, channels)


def _to_rgb(image: NDArray[np.uint8], channels: int | None) -> NDArray[np.uint8]:
    """From OpenCV's (H, W) grey or (H, W, 3) BGR to (H, W, C) grey or RGB."""
    grey = image.ndim == 2
    if channels == 1 or (channels is None and grey):
        result = image if grey else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        return result[..., None].astype(np.uint8, copy=False)
    code = cv2.COLOR_GRAY2RGB if grey else cv2.COLOR_BGR2RGB
    return cv2.cvtColor(image, code).astype(np.uint8, copy=False)


def resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize an image (H, W) or (H, W, C) to ``size`` = (height, width).

    The aspect ratio is not kept. A side that shrinks is averaged over areas (INTER_AREA, which
    does not alias), a side that grows is interpolated (INTER_LINEAR); with one of each, the
    shrinking comes first.
    """
    height, width = size
    small = (min(height, image.shape[0]), min(width, image.shape[1]))
    result = image
    for (h, w), method in ((small, cv2.INTER_AREA), (size, cv2.INTER_LINEAR)):
        if result.shape[:2] != (h, w):
            result = cv2.resize(result, (w, h), interpolation=method).astype(np.uint8, copy=False)
    # OpenCV drops the axis of a single channel.
    return result.reshape(height, width, *image.shape[2:])


def resize_and_convert(
    image: NDArray[np.uint8], size: tuple[int, int], channels: int
) -> NDArray[np.uint8]:
    """Bring a decoded image to a size and to 1 or 3 channels, as :func:`decode` itself would.

    For one that is wanted in two sizes: it need not be decoded twice.

    Args:
        image: uint8 (H, W, 1) or (H, W, 3), RGB.
        size: (height, width).
        channels: 1 for grey, 3 for RGB.
    """
    small = resize(image, size)
    if small.shape[2] == channels:
        return small
    return _grey(small) if channels == 1 else np.repeat(small, 3, axis=2)


def _each(
    images: NDArray[np.uint8],
    shape: tuple[int, ...],
    function: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
) -> NDArray[np.uint8]:
    """Apply a function to every image, on a few threads, into a new array (N, *shape)."""
    result = np.empty((len(images), *shape), dtype=np.uint8)

    def work(start: int) -> None:
        for index in range(start, min(start + _CHUNK, len(images))):
            result[index] = function(images[index])

    with single_threaded_opencv(), ThreadPoolExecutor() as pool:
        list(pool.map(work, range(0, len(images), _CHUNK)))
    return result


def resize_images(images: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize images (N, H, W, C) as :func:`resize` does; the array itself if nothing changes."""
    if images.shape[1:3] == size:
        return images
    return _each(images, (*size, images.shape[3]), lambda image: resize(image, size))


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].astype(np.uint8, copy=False)


def to_channels(images: NDArray[np.uint8], channels: int | None) -> NDArray[np.uint8]:
    """Make images (N, H, W, C) grey (1) or RGB (3); the array itself if nothing changes.

    Grey is the luma of ITU-R BT.601, as OpenCV computes it; RGB from grey repeats the channel.
    """
    assert channels in (None, 1, 3), channels
    if channels is None or images.shape[3] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=3)
    shape = (*images.shape[1:3], 1)
    return _each(images, shape, _grey)


def fill_polygon(canvas: NDArray[np.uint8], corners: Sequence[tuple[int, int]]) -> None:
    """Draw a polygon as ones, with hard edges, into a canvas (H, W); corners are (x, y)."""
    cv2.fillPoly(canvas, [np.array(corners, dtype=np.int32)], 1, cv2.LINE_8)


def fill_circle(
    canvas: NDArray[np.uint8], centre: tuple[int, int], radius: int, value: int = 1
) -> None:
    """Draw a disc with hard edges into a canvas (H, W); the centre is (x, y)."""
    cv2.circle(canvas, centre, radius, value, cv2.FILLED, cv2.LINE_8)
