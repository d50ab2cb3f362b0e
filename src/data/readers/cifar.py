"""CIFAR-10 and CIFAR-100, python and binary version: batch files of 32x32 images.

Format: https://www.cs.toronto.edu/~kriz/cifar.html
"""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from src.data.image_data import ImageData, ImageSet
from src.data.readers.archive import read_members
from src.data.readers.base import ReadOptions, fingerprint_of
from src.data.readers.pickles import load_pickle
from src.data.registry import CIFAR10_CLASSES, CIFAR100_CLASSES, CIFAR100_COARSE_CLASSES
from src.files import read_bounded

_PIXELS = 3 * 32 * 32  # a red, a green and a blue plane
_FILE_LIMIT = 256 << 20  # CIFAR-100's training batch has 155 MB


@dataclass(frozen=True)
class Version:
    """One data set in one format, with the names of its files."""

    dataset: Literal["CIFAR-10", "CIFAR-100"]  # CIFAR-100 has a coarse and a fine label an image
    format: Literal["python", "binary"]  # a pickled dictionary, or rows of labels and pixels
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: tuple[str, ...]  # files of class names, which may be missing

    @property
    def title(self) -> str:
        return f"{self.dataset}, {self.format} version"

    @property
    def batches(self) -> tuple[str, ...]:
        return self.train + self.test


_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
_TRAIN_BIN = tuple(f"{name}.bin" for name in _TRAIN)
_FINE_AND_COARSE = ("fine_label_names.txt", "coarse_label_names.txt")
_VERSIONS = (
    Version("CIFAR-10", "python", _TRAIN, ("test_batch",), ("batches.meta",)),
    Version("CIFAR-100", "python", ("train",), ("test",), ("meta",)),
    Version("CIFAR-10", "binary", _TRAIN_BIN, ("test_batch.bin",), ("batches.meta.txt",)),
    Version("CIFAR-100", "binary", ("train.bin",), ("test.bin",), _FINE_AND_COARSE),
)
_CLASSES = {"": CIFAR10_CLASSES, "fine_": CIFAR100_CLASSES, "coarse_": CIFAR100_COARSE_CLASSES}
BATCH_FILES = frozenset(name for version in _VERSIONS for name in version.batches)


def detect(root: Path, names: set[str], fine_labels: bool) -> "Cifar | None":
    """A reader of ``root``, if some of the names of its files are those of batches."""
    versions = [version for version in _VERSIONS if names.intersection(version.batches)]
    return Cifar(root, versions[0], fine_labels) if versions else None


@dataclass(frozen=True)
class Cifar:
    """A folder or an archive of batch files."""

    location: Path
    version: Version
    fine_labels: bool  # CIFAR-100's 100 classes; False: its 20

    @property
    def description(self) -> str:
        return f"{self.version.title}, {self.location}"

    def fingerprint(self) -> str:
        root, names = self.location, self.version.batches + self.version.meta
        paths = [root / name for name in names] if root.is_dir() else [root]
        present = [(str(path), path.stat()) for path in paths if path.is_file()]
        return fingerprint_of(present, self.version.title, self.fine_labels)

    def read(self, options: ReadOptions) -> ImageData:
        contents = _read_files(self.location, self.version)
        train = self._image_set(self.version.train, contents)
        test = self._image_set(self.version.test, contents)
        return ImageData(train, test, self._classes(contents), self.description)

    def _image_set(self, names: tuple[str, ...], contents: dict[str, bytes]) -> ImageSet:
        batches = [self._batch(name, contents[name]) for name in names]
        planes = np.concatenate([rows for rows, _ in batches]).reshape(-1, 3, 32, 32)
        labels = np.concatenate([labels for _, labels in batches])
        numbered = [
            f"{name}[{row}]"
            for name, (rows, _) in zip(names, batches, strict=True)
            for row in range(len(rows))
        ]
        return ImageSet(np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels, numbered)

    def _batch(self, name: str, content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The pixels (N, 3072) and the labels (N,) of a batch file."""
        where = f"{self.location}: {name}"
        if self.version.format == "python":
            return _unpickled_batch(content, where, f"{self._label_prefix}labels")
        label_bytes = 2 if self.version.dataset == "CIFAR-100" else 1
        row = label_bytes + _PIXELS
        if not content or len(content) % row:
            raise ValueError(
                f"{where} has {len(content)} bytes, which is no whole number of rows of {row}; it "
                "may be truncated"
            )
        rows = np.frombuffer(content, np.uint8).reshape(-1, row)
        column = 1 if self._label_prefix == "fine_" else 0
        return rows[:, label_bytes:], rows[:, column].astype(np.int64)

    def _classes(self, contents: dict[str, bytes]) -> tuple[str, ...]:
        meta = self.version.meta[0 if self.fine_labels else -1]
        if meta not in contents:
            return _CLASSES[self._label_prefix]
        if self.version.format == "binary":
            return tuple(contents[meta].decode("latin1").split())
        where, key = f"{self.location}: {meta}", f"{self._label_prefix}label_names"
        names = load_pickle(contents[meta], where).get(key)
        if not isinstance(names, list) or not all(isinstance(n, bytes | str) for n in names):
            raise ValueError(f"{where}: {key} is {_kind(names)}; a list of names is expected")
        return tuple(n.decode("latin1") if isinstance(n, bytes) else n for n in names)

    @property
    def _label_prefix(self) -> str:
        """What the keys of the wanted labels begin with in pickled files."""
        if self.version.dataset == "CIFAR-10":
            return ""
        return "fine_" if self.fine_labels else "coarse_"


def _read_files(root: Path, version: Version) -> dict[str, bytes]:
    """Contents of a version's files by name, from a folder or from anywhere in an archive."""
    names = version.batches + version.meta
    if root.is_dir():
        paths = [root / name for name in names if os.path.lexists(root / name)]
        contents = {path.name: read_bounded(path, str(path), limit=_FILE_LIMIT) for path in paths}
    else:
        members = read_members(
            root, lambda stored: PurePosixPath(stored).name in names, file_limit=_FILE_LIMIT
        )
        contents = {PurePosixPath(name).name: file for name, file in members if file is not None}
    missing = [name for name in version.batches if name not in contents]
    if missing:
        raise ValueError(
            f"{root} looks like {version.title} but lacks {', '.join(missing)}; it is made of "
            f"{', '.join(version.batches)}"
        )
    return contents


def _unpickled_batch(
    content: bytes, where: str, key: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    batch = load_pickle(content, where)
    missing = [entry for entry in ("data", key) if entry not in batch]
    if missing:
        keys = [entry[:40] for entry in sorted(batch)[:10]]
        raise ValueError(f"{where} has no {' and no '.join(missing)}; it has {keys}")
    rows, labels = batch["data"], batch[key]
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.shape[1:] != (_PIXELS,):
        raise ValueError(f"{where}: data is {_kind(rows)}; uint8 rows of {_PIXELS} are expected")
    if isinstance(labels, list) and all(type(n) is int and n.bit_length() < 64 for n in labels):
        labels = np.array(labels, np.int64)
    integers = isinstance(labels, np.ndarray) and labels.dtype.kind in "iu"
    if not integers or labels.shape != rows.shape[:1]:
        raise ValueError(
            f"{where}: {key} is {_kind(labels)}; an integer for each of the {len(rows)} rows is "
            "expected"
        )
    return rows, labels.astype(np.int64)


def _kind(value: Any) -> str:
    """Type and size of a value for a message."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, list):
        kinds = sorted({type(item).__name__ for item in value})
        return f"a list of {len(value)} ({', '.join(kinds)})"
    return f"a {type(value).__name__}"
