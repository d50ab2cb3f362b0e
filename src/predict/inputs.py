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

THUMBNAIL = 128  # pixels of the longer side; smaller images keep their size
_WORKERS = min(4, os.cpu_count() or 1)  # also the number of full-size images in memory


@dataclass
class InputFiles:
    """Files at an input."""

    files: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)  # in a folder, without the suffix of an image
    problems: list[str] = field(default_factory=list)  # a line for each unreadable folder


@dataclass
class InputImage:
    """A readable image of an input."""

    file: Path
    pixels: Image  # (H, W, C), the network's input
    thumbnail: Image  # (h, w, 1 or 3), in the file's own proportions and colors


def find_images(source: str) -> InputFiles:
    """List the images at ``source``, in natural order: 2.png before 10.png.

    A file or a broken link is taken whatever its name; of a folder and its subfolders, the visible
    files with the suffix of an image. A path that does not exist is a pattern (``*``, ``?``,
    ``[…]``, ``**`` for nested folders) of folders and files, both as in a folder.
    """
    path = Path(source).expanduser()
    found = InputFiles()
    suffixes = " ".join(IMAGE_SUFFIXES)
    if path.is_dir():
        _add(path, path.resolve().parents, found)
        skipped = not_read(map(str, found.others))
        reason = f"no images in this folder ({suffixes}){skipped and f'; {skipped}'}"
    elif os.path.lexists(path):
        found.files.append(path)
    else:
        # The pattern starts below the last existing folder, whose name may contain brackets.
        root = next(parent for parent in path.parents if parent.is_dir())
        for match in root.glob(str(path.relative_to(root))):
            if not any(map(is_hidden, match.relative_to(root).parts)):
                folder = match.parent.resolve()
                _add(match, (folder, *folder.parents), found)
        found.others.clear()
        reason = f"no such file or folder, and a pattern of no images ({suffixes})"
    if not found.files and not found.problems:
        raise ValueError(f"{printable(path)}: {reason}")
    found.files = sorted(dict.fromkeys(found.files), key=_natural_order)
    return found


def _add(path: Path, above: Sequence[Path], found: InputFiles) -> None:
    """Add a file, or those in a folder and its subfolders; ``above`` are the real parents."""
    if not path.is_dir():
        (found.files if is_image(path.name) else found.others).append(path)
        return
    real = path.resolve()
    if real in above:  # a link to one of its parents
        return
    try:
        for item in path.iterdir():
            if not is_hidden(item.name) and not is_system_folder(item.name):
                _add(item, (*above, real), found)
    except OSError as error:
        found.problems.append(f"{printable(path)} cannot be read: {error.strerror}")


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
