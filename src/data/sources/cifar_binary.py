"""CIFAR-10 and CIFAR-100 in their "binary version", in a folder or a .tar.gz.

A row of CIFAR-10 is a label byte and 3,072 pixel bytes; a row of CIFAR-100 has a coarse and a
fine label before its pixels. Format: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.data import class_names
from src.data.sources.base import ReadOptions
from src.data.sources.batches import (
    PIXELS,
    BatchLayout,
    batch_fingerprint,
    batch_set,
    join_sets,
    layout_of,
    read_batches,
)
from src.data.types import ImageData, ImageSet

__all__ = ["LAYOUTS", "CifarBinary", "recognise"]

_CIFAR10 = BatchLayout(
    "CIFAR-10, binary version",
    tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    ("test_batch.bin",),
    ("batches.meta.txt",),
    coarse=False,
)
_CIFAR100 = BatchLayout(
    "CIFAR-100, binary version",
    ("train.bin",),
    ("test.bin",),
    ("fine_label_names.txt", "coarse_label_names.txt"),
    coarse=True,
)
LAYOUTS = (_CIFAR10, _CIFAR100)


def recognise(root: Path, names: set[str], *, fine_labels: bool = True) -> "CifarBinary | None":
    """The source, if the names of the files at ``root`` are those of the format."""
    layout = layout_of(names, LAYOUTS)
    return None if layout is None else CifarBinary(root, layout, fine_labels)


@dataclass(frozen=True)
class CifarBinary:
    """A folder or archive of binary batches; ``fine_labels`` is CIFAR-100's 100 or 20 classes."""

    location: Path
    layout: BatchLayout
    fine_labels: bool = True

    @property
    def description(self) -> str:
        """What it was recognised as, and where."""
        return f"{self.layout.title}, {self.location}"

    def fingerprint(self) -> str:
        """Changes with what the images depend on."""
        return batch_fingerprint(self.location, self.layout, self.fine_labels)

    def read(self, options: ReadOptions) -> ImageData:
        """Read every batch; there is nothing to decode, so the options do not matter.

        Raises:
            ValueError: a file is missing, or its size is not a whole number of rows.
        """
        contents = read_batches(self.location, self.layout)
        train = join_sets([self._batch(contents[name], name) for name in self.layout.train])
        test = join_sets([self._batch(contents[name], name) for name in self.layout.test])
        return ImageData(train, test, self._classes(contents), self.description)

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
        standard = class_names.CIFAR100 if fine else class_names.CIFAR100_COARSE
        if not self.layout.coarse:
            standard = class_names.CIFAR10
        meta = self.layout.meta[0 if fine or not self.layout.coarse else 1]
        if meta not in contents:
            return standard
        return tuple(contents[meta].decode("latin1").split())
