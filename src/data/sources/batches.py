"""What the python and the binary version of CIFAR have in common: batch files of 32x32 images."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from src.data.content import read_file
from src.data.sources.archive import archive_kind, read_members
from src.data.sources.base import ReadOptions, fingerprint_of
from src.data.types import ImageData, ImageSet

__all__ = ["PIXELS", "BatchLayout", "BatchSource", "batch_set"]

PIXELS = 3 * 32 * 32
_FILE_LIMIT = 256 << 20  # CIFAR-100's training batch has 155 MB


@dataclass(frozen=True)
class BatchLayout:
    """The names of a version's files.

    Attributes:
        title: the data set and the version, in words.
        train, test: the batch files, all of which are needed.
        meta: files of class names, which may be missing.
        coarse: whether each image has a coarse label besides.
    """

    title: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: tuple[str, ...]
    coarse: bool

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the version."""
        return self.batches + self.meta

    @property
    def batches(self) -> tuple[str, ...]:
        """The files that make it this version."""
        return self.train + self.test


def _read_files(root: Path, layout: BatchLayout) -> dict[str, bytes]:
    """The content of a layout's files, from a folder or from anywhere in an archive.

    Raises:
        ValueError: a batch file is missing, or the archive cannot be read.
    """
    if root.is_dir():
        contents = {
            name: read_file(root / name, str(root / name), limit=_FILE_LIMIT)
            for name in layout.files
            if os.path.lexists(root / name)
        }
    else:
        assert archive_kind(root), root
        members = read_members(
            root, lambda name: PurePosixPath(name).name in layout.files, file_limit=_FILE_LIMIT
        )
        contents = {PurePosixPath(m.name).name: m.content for m in members if m.content is not None}
    missing = [name for name in layout.batches if name not in contents]
    if missing:
        raise ValueError(
            f"{root} looks like {layout.title} but lacks {', '.join(missing)}; it is made of "
            f"{', '.join(layout.batches)}"
        )
    return contents


def batch_set(name: str, planes: NDArray[np.uint8], labels: NDArray[np.int64]) -> ImageSet:
    """Rows of 3,072 bytes, a red, a green and a blue plane of 32x32 each, as an image set."""
    images = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    names = [f"{name}[{row}]" for row in range(len(labels))]
    return ImageSet(np.ascontiguousarray(images), labels, names)


def _joined(parts: Sequence[ImageSet]) -> ImageSet:
    """One set out of several, in their order."""
    return ImageSet(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        [name for part in parts for name in part.names],
    )


@dataclass(frozen=True)
class BatchSource(ABC):
    """A folder or archive of batch files; ``fine_labels`` is CIFAR-100's 100 or 20 classes."""

    layouts: ClassVar[tuple[BatchLayout, ...]]

    location: Path
    layout: BatchLayout
    fine_labels: bool = True

    @classmethod
    def recognise(cls, root: Path, names: set[str], fine_labels: bool) -> Self | None:
        """The source, if some of the names of the files at ``root`` are batches of the format."""
        for layout in cls.layouts:
            if names.intersection(layout.batches):
                return cls(root, layout, fine_labels)
        return None

    @property
    def description(self) -> str:
        """What it was recognised as, and where."""
        return f"{self.layout.title}, {self.location}"

    def fingerprint(self) -> str:
        """Changes with what the images depend on."""
        root = self.location
        paths = [root / name for name in self.layout.files] if root.is_dir() else [root]
        present = [(str(path), path.stat()) for path in paths if path.is_file()]
        return fingerprint_of(present, self.layout.title, self.fine_labels)

    def read(self, options: ReadOptions) -> ImageData:
        """Read every batch; there is nothing to decode, so the options do not matter.

        Raises:
            ValueError: a file is missing, damaged or refused.
        """
        contents = _read_files(self.location, self.layout)
        train = _joined([self._batch(contents[name], name) for name in self.layout.train])
        test = _joined([self._batch(contents[name], name) for name in self.layout.test])
        return ImageData(train, test, self._classes(contents), self.description)

    @abstractmethod
    def _batch(self, content: bytes, name: str) -> ImageSet:
        """The images of a batch file."""

    @abstractmethod
    def _classes(self, contents: dict[str, bytes]) -> tuple[str, ...]:
        """The names of the classes, from the meta files where they are there."""
