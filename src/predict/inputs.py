"""Input images of ``src.predict``: a file, a folder or a pattern, read in batches."""

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.decode import decode, resize, resize_and_convert, single_threaded_opencv
from src.data.readers.image_folder import (
    IMAGE_SUFFIXES,
    is_hidden,
    is_image,
    is_system_folder,
    not_read,
)
from src.files import read_bounded
from src.text import printable

Image = NDArray[np.uint8]

THUMBNAIL = 128
"""Longer side of a thumbnail in pixels; smaller images keep their size."""

_WORKERS = min(4, os.cpu_count() or 1)  # also the number of full-size images in memory


@dataclass
class InputFiles:
    """Files at an input.

    Attributes:
        files: paths in natural order, each once; they may still turn out not to be images.
        others: visible files in a folder without the suffix of an image.
        problems: a line for each folder that cannot be read.
    """

    files: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass
class InputImage:
    """A readable image of an input.

    Attributes:
        pixels: uint8 (H, W, C), the network's input.
        thumbnail: uint8 (h, w, 1 or 3), in the file's own proportions and colors.
    """

    file: Path
    pixels: Image
    thumbnail: Image


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
    found = InputFiles()
    suffixes = " ".join(IMAGE_SUFFIXES)
    if path.is_dir():
        _add_folder(path, path.resolve().parents, found)
        skipped = not_read(map(str, found.others))
        reason = f"no images in this folder ({suffixes}){skipped and f'; {skipped}'}"
    elif os.path.lexists(path):
        found.files.append(path)
    else:
        _add_matches(path, found)
        found.others.clear()
        reason = f"no such file or folder, and a pattern of no images ({suffixes})"
    if not found.files and not found.problems:
        raise ValueError(f"{printable(path)}: {reason}")
    found.files = sorted(dict.fromkeys(found.files), key=_natural_order)
    return found


def _add_matches(pattern: Path, found: InputFiles) -> None:
    # The pattern starts below the last existing folder, whose name may contain brackets.
    root = next(parent for parent in pattern.parents if parent.is_dir())
    for path in root.glob(str(pattern.relative_to(root))):
        if any(map(is_hidden, path.relative_to(root).parts)):
            continue
        if path.is_dir():
            _add_folder(path, path.resolve().parents, found)
        elif is_image(path.name):
            found.files.append(path)


def _add_folder(folder: Path, above: Sequence[Path], found: InputFiles) -> None:
    """Add the visible files of a folder and its subfolders; ``above`` are its real parents."""
    real = folder.resolve()
    if real in above:  # a link to one of its parents
        return
    try:
        paths = list(folder.iterdir())
    except OSError as error:
        found.problems.append(f"{printable(folder)} cannot be read: {error.strerror}")
        return
    for path in paths:
        if is_hidden(path.name) or is_system_folder(path.name):
            continue
        if path.is_dir():
            _add_folder(path, (*above, real), found)
        elif is_image(path.name):
            found.files.append(path)
        else:
            found.others.append(path)


def _natural_order(path: Path) -> list[list[str | int]]:
    def words(part: str) -> list[str | int]:
        pieces = re.split(r"(\d+)", part.casefold())
        return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)]

    return [words(part) for part in path.parts] + [[str(path)]]


def read_batches(
    files: Sequence[Path], shape: tuple[int, int, int], batch_size: int
) -> Iterator[tuple[list[InputImage], list[str]]]:
    """Read images in batches, few at full size at a time; and a line for each unreadable file.

    ``shape`` is the height, width and channels (3 for RGB, 1 for gray) of the network's input.
    """

    def read(path: Path) -> InputImage | str:
        try:
            image = decode(read_bounded(path, printable(path)), printable(path))
        except ValueError as error:
            return str(error)
        pixels = resize_and_convert(image, shape[:2], shape[2])
        return InputImage(path, pixels, _thumbnail(image))

    with single_threaded_opencv(), ThreadPoolExecutor(_WORKERS, thread_name_prefix="read") as pool:
        for start in range(0, len(files), batch_size):
            results = list(pool.map(read, files[start : start + batch_size]))
            images = [result for result in results if isinstance(result, InputImage)]
            yield images, [result for result in results if isinstance(result, str)]


def _thumbnail(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = THUMBNAIL / max(height, width, THUMBNAIL)
    return resize(image, (max(1, round(height * scale)), max(1, round(width * scale))))
