"""CIFAR-10 and CIFAR-100 in their "binary version", in a folder or a .tar.gz.

A row of CIFAR-10 is a label byte and 3,072 pixel bytes; a row of CIFAR-100 has a coarse and a
fine label before its pixels. Format: https://www.cs.toronto.edu/~kriz/cifar.html
"""

import numpy as np

from src.data import class_names
from src.data.sources.batches import PIXELS, BatchLayout, BatchSource, batch_set
from src.data.types import ImageSet

__all__ = ["CifarBinary"]

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


class CifarBinary(BatchSource):
    """A folder or archive of binary batches."""

    layouts = (_CIFAR10, _CIFAR100)

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
