"""Decode many image files on threads while the next ones are still being read.

OpenCV releases the interpreter's lock, so threads decode while the calling thread goes on
reading and decompressing an archive. Files travel in batches: one task a file would cost more
than decoding it.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.decode import decode, single_threaded_opencv, to_channels
from src.data.safe_read import read_bounded
from src.text import printable

_FILES, _BYTES = 256, 8 << 20  # a batch is complete at either
_WORKERS = max(2, min(16, os.cpu_count() or 2))
_AHEAD = 4 * _WORKERS  # batches waiting at most: what bounds the memory


@dataclass(frozen=True)
class Decoded:
    """Decoded images in the order of their files.

    Attributes:
        images: uint8 (N, H, W, C).
        names: the N files' names.
        skipped: names of the files that could not be decoded.
        peak: the highest sample of the files with 16 bits a channel; None if there are none.
    """

    images: NDArray[np.uint8]
    names: list[str]
    skipped: list[str]
    peak: int | None = None


_File = tuple[str, "bytes | Path"]


@dataclass(frozen=True)
class _Wanted:
    channels: int | None
    size: tuple[int, int] | None
    skip: bool
    peaks: list[int]


@dataclass(frozen=True)
class _Batch:
    images: list[NDArray[np.uint8]]
    names: list[str]
    skipped: list[str]


def _decode_batch(files: list[_File], wanted: _Wanted) -> _Batch:
    batch = _Batch([], [], [])
    for name, content in files:
        try:
            shown = printable(name)
            buffer = content if isinstance(content, bytes) else read_bounded(content, shown)
            image = decode(
                buffer, shown, channels=wanted.channels, size=wanted.size, peaks=wanted.peaks
            )
        except ValueError as error:
            if not wanted.skip:
                advice = "data.on_bad_image=skip leaves such files out"
                raise ValueError(f"{error}; {advice}") from error
            batch.skipped.append(name)
        else:
            batch.images.append(image)
            batch.names.append(name)
    return batch


def _batched(files: Iterable[_File]) -> Iterator[list[_File]]:
    batch: list[_File] = []
    size = 0
    for name, content in files:
        batch.append((name, content))
        size += len(content) if isinstance(content, bytes) else 0
        if len(batch) == _FILES or size >= _BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _run(files: Iterable[_File], wanted: _Wanted) -> Iterator[_Batch]:
    """Decoded batches in order, a bounded number of them ahead of the one that is due."""
    pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="decode")
    waiting: deque[Future[_Batch]] = deque()
    try:
        for batch in _batched(files):
            waiting.append(pool.submit(_decode_batch, batch, wanted))
            if len(waiting) >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def decode_files(
    files: Iterable[_File],
    *,
    channels: int | None = None,
    size: tuple[int, int] | None = None,
    skip: bool = False,
) -> Decoded:
    """Decode image files to one array.

    Args:
        files: (name, content) of each; the content as bytes, or as a path to read it from.
        channels: 3 for RGB, 1 for grey; None: grey if every file is grey, RGB otherwise.
        size: (height, width) to resize to; None: as the files are, which must agree.
        skip: leave out files that cannot be decoded instead of raising.

    Raises:
        ValueError: a file cannot be decoded (it is named), or two have different sizes.
    """
    images: list[NDArray[np.uint8]] = []
    names: list[str] = []
    skipped: list[str] = []
    side: tuple[int, ...] | None = None
    peaks: list[int] = []
    with single_threaded_opencv():
        for batch in _run(files, _Wanted(channels, size, skip, peaks)):
            names.extend(batch.names)
            skipped.extend(batch.skipped)
            for name, image in zip(batch.names, batch.images, strict=True):
                side = side or image.shape[:2]
                if image.shape[:2] != side:
                    raise _sizes_differ(names[0], side, name, image.shape)
            images.extend(_stack(batch.images))
    if not images:
        return Decoded(np.empty((0, 0, 0, channels or 3), np.uint8), names, skipped)
    deepest = max(part.shape[3] for part in images)
    array = np.concatenate([to_channels(i, deepest) for i in images])
    return Decoded(array, names, skipped, max(peaks, default=None))


def _stack(images: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Images of one height and width as arrays (n, H, W, C), few of them, in order."""
    if len({image.shape for image in images}) == 1:
        return [np.stack(images)]
    return [image[None] for image in images]


def _sizes_differ(
    name: str, shape: tuple[int, ...], other: str, other_shape: tuple[int, ...]
) -> ValueError:
    return ValueError(
        f"images differ in size: {printable(name)} is {shape[1]}x{shape[0]}, {printable(other)} is "
        f"{other_shape[1]}x{other_shape[0]} (width x height); set data.image_size to resize all"
    )
