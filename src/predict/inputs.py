"""Input images of ``src.predict``: a file, a folder or a pattern, read in batches."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.decode import decode, resize, resize_and_convert, single_threaded_opencv
from src.data.readers.file_selection import (
    IMAGE_SUFFIXES,
    is_hidden,
    is_image,
    is_system_folder,
    not_read,
)
from src.data.safe_read import read_bounded
from src.text import printable

THUMBNAIL = 128
"""Longer side of a thumbnail in pixels; smaller images keep their size."""

_WORKERS = min(4, os.cpu_count() or 1)  # also the number of full-size images in memory
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class InputFiles:
    """Files at an input.

    Attributes:
        files: paths in natural order, each once; they may still turn out not to be images.
        problems: a line for each folder that cannot be read.
        others: visible files in folders without the suffix of an image.
    """

    files: list[Path]
    problems: list[str]
    others: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class InputBatch:
    """N readable images of a batch, and the problems of the others.

    Attributes:
        files: N paths.
        images: uint8 (N, H, W, C), the network's input.
        thumbnails: N images uint8 (h, w, 1 or 3) in the files' own proportions and colors.
        problems: a line for each unreadable file.
    """

    files: list[Path]
    images: NDArray[np.uint8]
    thumbnails: list[NDArray[np.uint8]]
    problems: list[str]


def find_images(source: str) -> InputFiles:
    """List the images at ``source``, in natural order: 2.png before 10.png.

    A file is taken whatever its name, and so is a broken link, which is reported on reading. Of a
    folder and its subfolders, the visible files with the suffix of an image are taken. A path that
    does not exist is a pattern (``*``, ``?``, ``[…]``, ``**`` for nested folders), whose matches
    are taken in the same way, files by their suffix.

    Raises:
        ValueError: no image is there.
        OSError: the path cannot be accessed.
    """
    path = Path(source).expanduser()
    problems: list[str] = []
    others: list[Path] = []
    if path.is_dir():
        visible = list(_walk(path, _parents(path), problems))
        files = [file for file in visible if is_image(file.name)]
        others = [file for file in visible if not is_image(file.name)]
        if not files and not problems:
            skipped = f"; {not_read(map(str, others))}" if others else ""
            raise ValueError(
                f"{printable(path)}: no images in this folder ({' '.join(IMAGE_SUFFIXES)}){skipped}"
            )
    elif os.path.lexists(path):
        files = [path]
    else:
        files = list(_matches(path, problems))
        if not files and not problems:
            raise ValueError(
                f"{printable(path)}: no such file or folder, and a pattern of no images "
                f"({' '.join(IMAGE_SUFFIXES)})"
            )
    return InputFiles(sorted(dict.fromkeys(files), key=_natural_order), problems, others)


def _matches(pattern: Path, problems: list[str]) -> Iterator[Path]:
    # The pattern starts below the last existing folder, whose name may contain brackets.
    root = next(parent for parent in pattern.parents if parent.is_dir())
    for path in root.glob(str(pattern.relative_to(root))):
        if any(map(is_hidden, path.relative_to(root).parts)):
            continue
        if path.is_dir():
            yield from filter(_has_image_suffix, _walk(path, _parents(path), problems))
        elif is_image(path.name):
            yield path


def _parents(folder: Path) -> tuple[tuple[int, int], ...]:
    """Device and inode of the folder's parents, to recognize links back to them."""
    found = [parent.stat() for parent in folder.absolute().parents]
    return tuple((status.st_dev, status.st_ino) for status in found)


def _walk(folder: Path, above: tuple[tuple[int, int], ...], problems: list[str]) -> Iterator[Path]:
    try:
        status = folder.stat()
        paths = list(folder.iterdir())
    except OSError as error:
        problems.append(f"{printable(folder)} cannot be read: {error.strerror}")
        return
    here = (status.st_dev, status.st_ino)
    if here in above:  # a link to one of its parents
        return
    for path in paths:
        if is_hidden(path.name) or is_system_folder(path.name):
            continue
        if path.is_dir():
            yield from _walk(path, (*above, here), problems)
        else:
            yield path


def _has_image_suffix(path: Path) -> bool:
    return is_image(path.name)


def _natural_order(path: Path) -> list[list[str | int]]:
    def words(part: str) -> list[str | int]:
        pieces = _DIGITS.split(part.casefold())
        return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)]

    return [words(part) for part in path.parts] + [[str(path)]]


def read_batches(
    files: Sequence[Path], *, size: tuple[int, int], channels: int, batch_size: int
) -> Iterator[InputBatch]:
    """Read images in batches, with few of them at full size in memory at any time.

    Args:
        files: paths.
        size: (height, width) to resize to.
        channels: 3 for RGB, 1 for gray.
        batch_size: files in a batch; fewer images where some cannot be read.
    """

    def read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | str:
        try:
            image = decode(read_bounded(path, printable(path)), printable(path))
        except ValueError as error:
            return str(error)
        return resize_and_convert(image, size, channels), _thumbnail(image)

    with single_threaded_opencv(), ThreadPoolExecutor(_WORKERS, thread_name_prefix="read") as pool:
        for start in range(0, len(files), batch_size):
            part = files[start : start + batch_size]
            yield _batch(part, pool.map(read, part), (*size, channels))


def _batch(
    files: Sequence[Path],
    results: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint8]] | str],
    shape: tuple[int, int, int],
) -> InputBatch:
    batch = InputBatch([], np.empty((len(files), *shape), np.uint8), [], [])
    for path, result in zip(files, results, strict=True):
        if isinstance(result, str):
            batch.problems.append(result)
            continue
        batch.images[len(batch.files)], thumbnail = result
        batch.files.append(path)
        batch.thumbnails.append(thumbnail)
    return InputBatch(
        batch.files, batch.images[: len(batch.files)], batch.thumbnails, batch.problems
    )


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = THUMBNAIL / max(height, width, THUMBNAIL)
    return resize(image, (max(1, round(height * scale)), max(1, round(width * scale))))
