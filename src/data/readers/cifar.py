"""CIFAR-10 and CIFAR-100, python and binary version: batch files of 32x32 images."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from src.data.readers.archive import archive_kind, read_members
from src.data.readers.base import ReadOptions, fingerprint_of
from src.data.readers.pickles import load_pickle
from src.data.registry import CIFAR10_CLASSES, CIFAR100_CLASSES, CIFAR100_COARSE_CLASSES
from src.data.safe_read import read_bounded
from src.data.types import ImageData, ImageSet

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
            name: read_bounded(root / name, str(root / name), limit=_FILE_LIMIT)
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


_BINARY_CIFAR10 = BatchLayout(
    "CIFAR-10, binary version",
    tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    ("test_batch.bin",),
    ("batches.meta.txt",),
    coarse=False,
)
_BINARY_CIFAR100 = BatchLayout(
    "CIFAR-100, binary version",
    ("train.bin",),
    ("test.bin",),
    ("fine_label_names.txt", "coarse_label_names.txt"),
    coarse=True,
)


class CifarBinary(BatchSource):
    """A folder or archive of binary batches."""

    layouts = (_BINARY_CIFAR10, _BINARY_CIFAR100)

    def _batch(self, content: bytes, name: str) -> ImageSet:
        label_bytes = 2 if self.layout.coarse else 1
        row = label_bytes + PIXELS
        if not content or len(content) % row:
            raise ValueError(
                f"{self.location}: {name} has {len(content)} bytes, which is no whole number of "
                f"rows of {row}; it may be truncated"
            )
        rows = np.frombuffer(content, np.uint8).reshape(-1, row)
        column = 1 if self.layout.coarse and self.fine_labels else 0
        return batch_set(name, rows[:, label_bytes:], rows[:, column].astype(np.int64))

    def _classes(self, contents: dict[str, bytes]) -> tuple[str, ...]:
        fine = self.layout.coarse and self.fine_labels
        standard = CIFAR100_CLASSES if fine else CIFAR100_COARSE_CLASSES
        if not self.layout.coarse:
            standard = CIFAR10_CLASSES
        meta = self.layout.meta[0 if fine or not self.layout.coarse else 1]
        if meta not in contents:
            return standard
        return tuple(contents[meta].decode("latin1").split())


_INT64 = np.iinfo(np.int64)
_PYTHON_CIFAR10 = BatchLayout(
    "CIFAR-10, python version",
    tuple(f"data_batch_{number}" for number in range(1, 6)),
    ("test_batch",),
    ("batches.meta",),
    coarse=False,
)
_PYTHON_CIFAR100 = BatchLayout(
    "CIFAR-100, python version", ("train",), ("test",), ("meta",), coarse=True
)


class CifarPython(BatchSource):
    """A folder or archive of pickled batches."""

    layouts = (_PYTHON_CIFAR10, _PYTHON_CIFAR100)

    def _batch(self, content: bytes, name: str) -> ImageSet:
        where = f"{self.location}: {name}"
        batch = load_pickle(content, where)
        key = "labels"
        if self.layout.coarse:
            key = "fine_labels" if self.fine_labels else "coarse_labels"
        missing = [entry for entry in ("data", key) if entry not in batch]
        if missing:
            raise ValueError(f"{where} has no {' and no '.join(missing)}; it has {_keys(batch)}")
        rows = batch["data"]
        if not (isinstance(rows, np.ndarray) and rows.dtype == np.uint8 and rows.ndim == 2) or (
            rows.shape[1] != PIXELS
        ):
            raise ValueError(f"{where}: data is {_what(rows)}; uint8 rows of {PIXELS} are expected")
        labels = _integers(batch[key])
        if not (isinstance(labels, np.ndarray) and labels.dtype.kind in "iu") or (
            labels.shape != (len(rows),)
        ):
            raise ValueError(
                f"{where}: {key} is {_what(labels)}; an integer for each of the {len(rows)} rows "
                "is expected"
            )
        return batch_set(name, rows, labels.astype(np.int64))

    def _classes(self, contents: dict[str, bytes]) -> tuple[str, ...]:
        key, standard = "label_names", CIFAR10_CLASSES
        if self.layout.coarse:
            key = "fine_label_names" if self.fine_labels else "coarse_label_names"
            standard = CIFAR100_CLASSES if self.fine_labels else CIFAR100_COARSE_CLASSES
        (meta,) = self.layout.meta
        if meta not in contents:
            return standard
        where = f"{self.location}: {meta}"
        names = load_pickle(contents[meta], where).get(key)
        if not isinstance(names, list) or not all(isinstance(n, bytes | str) for n in names):
            raise ValueError(f"{where}: {key} is {_what(names)}; a list of names is expected")
        return tuple(n.decode("latin1") if isinstance(n, bytes) else n for n in names)


def _keys(batch: dict[str, Any]) -> list[str]:
    return [key[:40] for key in sorted(batch)[:10]]


def _integers(labels: Any) -> Any:
    """A list of integers as an array; anything else as it is."""
    if not isinstance(labels, list) or any(type(label) is not int for label in labels):
        return labels
    # What 64 bits do not hold is no label, and neither is the end of their range.
    return np.array([min(max(label, _INT64.min), _INT64.max) for label in labels], np.int64)


def _what(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, list):
        kinds = sorted({type(item).__name__ for item in value})
        return f"a list of {len(value)} ({', '.join(kinds)})"
    return f"a {type(value).__name__}"
