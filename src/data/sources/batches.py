"""What the python and the binary version of CIFAR have in common: batch files of 32x32 images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from src.data.sources.archive import archive_kind, read_members
from src.data.sources.base import fingerprint_of
from src.data.types import ImageSet

__all__ = [
    "PIXELS",
    "BatchLayout",
    "batch_fingerprint",
    "batch_set",
    "join_sets",
    "layout_of",
    "read_batches",
]

PIXELS = 3 * 32 * 32
_FILE_LIMIT = 1 << 30  # CIFAR-100's training batch has 155 MB
_META_LIMIT = 1 << 20


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


def layout_of(names: set[str], layouts: Sequence[BatchLayout]) -> BatchLayout | None:
    """The layout that some of the names are batches of."""
    return next((layout for layout in layouts if names.intersection(layout.batches)), None)


def read_batches(root: Path, layout: BatchLayout) -> dict[str, bytes]:
    """The content of a layout's files, from a folder or from anywhere in an archive.

    Raises:
        ValueError: a batch file is missing, or the archive cannot be read.
    """
    if root.is_dir():
        paths = {name: root / name for name in layout.files}
        contents = {name: path.read_bytes() for name, path in paths.items() if path.is_file()}
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


def batch_fingerprint(root: Path, layout: BatchLayout, *facts: object) -> str:
    """Fingerprint of the archive, or of the layout's files in a folder."""
    paths = [root / name for name in layout.files] if root.is_dir() else [root]
    present = [(str(path), path.stat()) for path in paths if path.is_file()]
    return fingerprint_of(present, layout.title, *facts)


def batch_set(name: str, planes: NDArray[np.uint8], labels: NDArray[np.int64]) -> ImageSet:
    """Rows of 3,072 bytes, a red, a green and a blue plane of 32x32 each, as an image set."""
    images = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    names = [f"{name}[{row}]" for row in range(len(labels))]
    return ImageSet(np.ascontiguousarray(images), labels, names)


def join_sets(parts: Sequence[ImageSet]) -> ImageSet:
    """One set out of several, in their order."""
    return ImageSet(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        [name for part in parts for name in part.names],
    )
