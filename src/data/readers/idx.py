"""MNIST and Fashion-MNIST in the idx format, plain or gzipped: four files in a folder.

A file is a magic number (two zero bytes, the type of its values, the number of dimensions), the
sizes as big-endian 32-bit integers, and the values.
Format: http://yann.lecun.com/exdb/mnist/, https://github.com/zalandoresearch/fashion-mnist
"""

import gzip
import hashlib
import io
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.image_data import ImageData, ImageSet
from src.data.readers.archive import unpacked_limit
from src.data.readers.base import ReadOptions, fingerprint_of
from src.data.registry import DATASETS, FASHION_MNIST_CLASSES, MNIST_CLASSES
from src.files import READ_LIMIT, read_bounded

_UBYTE = 0x08
_FILES = (
    *("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    *("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)
_FASHION = {file.content_sha256 for file in DATASETS["fashion_mnist"].files}


def detect(root: Path, names: set[str], *, fashion: bool) -> "Idx | None":
    """A reader of the folder ``root``, if some of its files' names are those of the format."""
    found = {}
    for name in _FILES:
        # Plain or gzipped, with a dash or, as some programs unpack it, a dot.
        spellings = (name, f"{name}.gz", name.replace("-idx", ".idx"))
        if present := [spelling for spelling in spellings if spelling in names]:
            found[name] = present[0]
    if not found:
        return None
    if missing := [name for name in _FILES if name not in found]:
        raise ValueError(f"{root} lacks {', '.join(missing)} (plain or .gz)")
    return Idx(root, tuple(found.values()), fashion)


@dataclass(frozen=True)
class Idx:
    """Four idx files in a folder."""

    location: Path
    files: tuple[str, ...]  # names of those of training images, training labels, test images, ...
    fashion: bool  # the classes are Fashion-MNIST's whatever the files' checksums say

    @property
    def description(self) -> str:
        title = "Fashion-MNIST" if self.fashion else "MNIST"
        return f"{title} format (idx), {self.location}"

    def fingerprint(self) -> str:
        paths = [self.location / name for name in self.files]
        return fingerprint_of([(str(path), path.stat()) for path in paths], self.fashion)

    def read(self, options: ReadOptions) -> ImageData:
        contents = [_unpacked(self.location / name) for name in self.files]
        fashion = self.fashion or any(
            hashlib.sha256(content).hexdigest() in _FASHION for content in contents
        )
        train = self._image_set(self.files[:2], contents[:2])
        test = self._image_set(self.files[2:], contents[2:])
        if train.images.shape[1:] != test.images.shape[1:]:
            raise ValueError(
                f"{self.location}: training images are {train.images.shape[1:3]}, test images "
                f"{test.images.shape[1:3]}; one size is expected"
            )
        title, classes = (
            ("Fashion-MNIST", FASHION_MNIST_CLASSES) if fashion else ("MNIST", MNIST_CLASSES)
        )
        return ImageData(train, test, classes, f"{title} (idx), {self.location}")

    def _image_set(self, names: tuple[str, ...], contents: list[bytes]) -> ImageSet:
        images = _array(contents[0], 3, self.location / names[0])
        labels = _array(contents[1], 1, self.location / names[1])
        if len(images) != len(labels):
            raise ValueError(
                f"{self.location}: {names[0]} holds {len(images)} images, {names[1]} "
                f"{len(labels)} labels"
            )
        numbered = [f"{names[0]}[{index}]" for index in range(len(images))]
        return ImageSet(images[..., None], labels.astype(np.int64), numbered)


def _unpacked(path: Path) -> bytes:
    content = read_bounded(path, str(path))
    if path.suffix != ".gz":
        return content
    limit = min(READ_LIMIT, unpacked_limit(path))
    try:
        with gzip.open(io.BytesIO(content)) as file:
            content = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be unpacked, it may be damaged: {error}") from error
    if len(content) > limit:
        raise ValueError(f"{path} unpacks to more than {limit} bytes")
    return content


def _array(content: bytes, dimensions: int, path: Path) -> NDArray[np.uint8]:
    magic = bytes([0, 0, _UBYTE, dimensions])
    if content[:4] != magic:
        raise ValueError(
            f"{path} begins with {content[:4].hex()}; idx of {dimensions} dimensions begins with "
            f"{magic.hex()}"
        )
    start = 4 + 4 * dimensions
    sizes = [int.from_bytes(content[at : at + 4]) for at in range(4, start, 4)]
    if len(content) != start + math.prod(sizes):
        raise ValueError(
            f"{path} declares {' x '.join(map(str, sizes))} values but holds "
            f"{max(0, len(content) - start)}; it may be truncated"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes)
