"""Images by OpenCV: decode, resize and convert, alone or many on threads; draw shapes.

Images are uint8 (height, width, channels), RGB or gray; OpenCV's BGR order stays in this file.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.image_checks import PNG_MAGIC, damage_reason, unreadable_format, unsupported_reason
from src.data.image_data import ReadOptions
from src.files import read_bounded
from src.text import printable

OPENCV_VERSION = cv2.__version__

Image = NDArray[np.uint8]

_BATCH_FILES, _BATCH_BYTES = 256, 8 << 20  # a batch is complete at either
_WORKERS = max(2, min(16, os.cpu_count() or 2))
_BATCHES_AHEAD = 4 * _WORKERS  # bounds the memory


def disable_opencv_threads() -> None:
    """Keep OpenCV to the calling thread: its own threads and a forked process may deadlock."""
    cv2.setNumThreads(0)


@contextmanager
def single_threaded_opencv() -> Iterator[None]:
    """Silence OpenCV and keep it to the calling thread, as several threads of ours call it."""
    threads, level = cv2.getNumThreads(), cv2.utils.logging.getLogLevel()
    disable_opencv_threads()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
        cv2.utils.logging.setLogLevel(level)


def decode(
    buffer: bytes,
    name: str,
    *,
    channels: int | None = None,
    size: tuple[int, int] | None = None,
    peaks: list[int] | None = None,
) -> Image:
    """Decode one image file; ValueError unless it is one complete image of a supported format.

    The EXIF orientation is applied. Palettes become colors and 16 bits become 8. Transparent pixels
    of PNG, WebP and TIFF are laid on white (an image that has any is taken as it is stored,
    unrotated); those of GIF, AVIF, JPEG 2000 and BMP keep the color that is stored. CMYK is
    mixed without a color profile, (1 - C)(1 - K) for red and so on, inverted in JPEG as Adobe
    writes it: what Pillow does.

    Args:
        buffer: content of the file.
        name: name of the file, for errors.
        channels: 3 for RGB, 1 for gray, None for what the file holds.
        size: (height, width) to resize to; None keeps the file's.
        peaks: receives the highest sample of an image with 16 bits a channel, 0..65535.
    """
    if not buffer:
        raise ValueError(f"{name} is empty")
    if problem := damage_reason(buffer) or unsupported_reason(buffer):
        raise ValueError(f"{name} {problem}")
    image = _imdecode(buffer, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR, name)
    if image.dtype == np.uint16 and peaks is not None:
        peaks.append(int(image.max()))
    image = _to_8_bits(image)
    if _may_be_transparent(buffer):
        stored = _to_8_bits(_imdecode(buffer, cv2.IMREAD_UNCHANGED, name))
        if stored.ndim == 3 and stored.shape[2] == 4 and stored[..., 3].min() < 255:
            image = _over_white(stored)
    image = image[..., None] if image.ndim == 2 else _converted(image, cv2.COLOR_BGR2RGB)
    return resize_and_convert(image, size, channels)


def _imdecode(buffer: bytes, flags: int, name: str) -> NDArray[np.generic]:
    """8-bit or 16-bit samples, (H, W) gray, (H, W, 3) BGR or (H, W, 4) BGRA."""
    try:
        image = cv2.imdecode(np.frombuffer(buffer, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        if kind := unreadable_format(buffer):
            raise ValueError(f"{name} is {kind}, which OpenCV cannot read: convert it")
        raise ValueError(f"{name} cannot be decoded: it is damaged or not an image")
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"{name} has {image.dtype} samples: only images of 8 or 16 bits a channel are accepted"
        )
    return image


def _to_8_bits(image: NDArray[np.generic]) -> Image:
    """Scale 0..65535 to 0..255, rounded to the nearest."""
    if image.dtype == np.uint16:
        image = (image.astype(np.uint32) * 255 + 32767) // 65535
    return image.astype(np.uint8, copy=False)


_PNG_COLOR_TYPE, _PNG_WITH_ALPHA = 25, (4, 6)  # place in the header; gray and RGB with alpha


def _may_be_transparent(buffer: bytes) -> bool:
    if buffer.startswith(PNG_MAGIC):
        with_alpha = buffer[_PNG_COLOR_TYPE] in _PNG_WITH_ALPHA
        return with_alpha or b"tRNS" in buffer[: buffer.find(b"IDAT")]
    return buffer[:4] in (b"RIFF", b"II*\0", b"MM\0*")


def _over_white(image: Image) -> Image:
    alpha = image[..., 3:].astype(np.uint16)
    return ((image[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _converted(image: Image, code: int) -> Image:
    return cv2.cvtColor(image, code).astype(np.uint8, copy=False)


def resize(image: Image, size: tuple[int, int]) -> Image:
    """Resize an image (H, W, C) to ``size`` = (height, width), aspect ratio ignored.

    A side that shrinks is averaged over areas, which does not alias, before one that grows is
    interpolated.
    """
    height, width = size
    small = (min(height, image.shape[0]), min(width, image.shape[1]))
    result = image
    for (h, w), method in ((small, cv2.INTER_AREA), (size, cv2.INTER_LINEAR)):
        if result.shape[:2] != (h, w):
            result = cv2.resize(result, (w, h), interpolation=method).astype(np.uint8, copy=False)
    # OpenCV drops the axis of a single channel.
    return result.reshape(height, width, image.shape[2])


def resize_and_convert(image: Image, size: tuple[int, int] | None, channels: int | None) -> Image:
    """Bring an image (H, W, C) to a size (height, width) and to RGB (3) or gray (1, BT.601's luma).

    None keeps what the image has.
    """
    if size is not None:
        image = resize(image, size)
    if channels is None or channels == image.shape[2]:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    return _converted(image, cv2.COLOR_RGB2GRAY)[..., None]


def resize_and_convert_all(
    images: NDArray[np.uint8], size: tuple[int, int] | None, channels: int | None
) -> NDArray[np.uint8]:
    """As ``resize_and_convert`` for images (N, H, W, C); the array itself if nothing changes."""
    shape = (*(size or images.shape[1:3]), channels or images.shape[3])
    if images.shape[1:] == shape:
        return images
    result = np.empty((len(images), *shape), np.uint8)

    def convert(start: int) -> None:
        for number in range(start, min(start + _BATCH_FILES, len(images))):
            result[number] = resize_and_convert(images[number], size, channels)

    with single_threaded_opencv(), ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(convert, range(0, len(images), _BATCH_FILES)))
    return result


_File = tuple[str, bytes | Path]  # name, and content or the path to read it from


@dataclass(frozen=True)
class Decoded:
    """Images (N, H, W, C) and names of the N files, in their order."""

    images: NDArray[np.uint8]
    names: list[str]
    skipped: list[str]  # names of the files that could not be decoded
    peak: int | None  # highest sample of the files with 16 bits a channel, if there are any


def decode_files(files: Iterable[_File], options: ReadOptions) -> Decoded:
    """Decode image files to one array, on threads, while the next files are still being read.

    Without a size in the options, the files must agree in it; without a number of channels, the
    images are gray if every file is gray, RGB otherwise.
    """
    peaks: list[int] = []

    def decode_file(name: str, content: bytes | Path) -> Image | None:
        shown = printable(name)
        try:
            buffer = content if isinstance(content, bytes) else read_bounded(content, shown)
            return decode(buffer, shown, channels=options.channels, size=options.size, peaks=peaks)
        except ValueError as error:
            if options.skip_bad:
                return None
            raise ValueError(f"{error}; data.on_bad_image=skip leaves such files out") from error

    images: list[Image] = []
    names: list[str] = []
    skipped: list[str] = []
    with single_threaded_opencv():
        for name, image in _in_threads(decode_file, files):
            if image is None:
                skipped.append(name)
                continue
            images.append(image)
            names.append(name)
            (height, width), (h, w) = images[0].shape[:2], image.shape[:2]
            if (height, width) != (h, w):
                raise ValueError(
                    f"images differ in size: {printable(names[0])} is {width}x{height}, "
                    f"{printable(name)} is {w}x{h} (width x height); set data.image_size to resize "
                    "all"
                )
    sides = images[0].shape[:2] if images else (0, 0)
    depth = max((image.shape[2] for image in images), default=options.channels or 3)
    array = np.empty((len(images), *sides, depth), np.uint8)
    for number, image in enumerate(images):
        array[number] = image  # repeats the channel of a gray image among colored ones
    return Decoded(array, names, skipped, max(peaks, default=None))


def _in_threads(
    function: Callable[[str, bytes | Path], Image | None], files: Iterable[_File]
) -> Iterator[tuple[str, Image | None]]:
    """Name and result of each file, in order; a bounded number is computed ahead.

    OpenCV releases the interpreter's lock, so threads decode while the calling thread reads an
    archive. Files are submitted in batches: a task for each would cost more than decoding it.
    """

    def work(batch: list[_File]) -> list[tuple[str, Image | None]]:
        return [(name, function(name, content)) for name, content in batch]

    pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="decode")
    waiting: deque[Future[list[tuple[str, Image | None]]]] = deque()
    try:
        for batch in _batches(files):
            waiting.append(pool.submit(work, batch))
            if len(waiting) >= _BATCHES_AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _batches(files: Iterable[_File]) -> Iterator[list[_File]]:
    batch: list[_File] = []
    size = 0
    for name, content in files:
        batch.append((name, content))
        size += len(content) if isinstance(content, bytes) else 0
        if len(batch) == _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def fill_polygon(canvas: NDArray[np.uint8], corners: Sequence[tuple[int, int]]) -> None:
    """Draw a polygon of ones with hard edges into a canvas (H, W); corners are (x, y)."""
    cv2.fillPoly(canvas, [np.array(corners, dtype=np.int32)], 1, cv2.LINE_8)


def fill_circle(
    canvas: NDArray[np.uint8], center: tuple[int, int], radius: int, value: int = 1
) -> None:
    """Draw a disc with hard edges into a canvas (H, W); the center is (x, y)."""
    cv2.circle(canvas, center, radius, value, cv2.FILLED, cv2.LINE_8)
