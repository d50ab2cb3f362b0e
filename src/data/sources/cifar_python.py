"""CIFAR-10 and CIFAR-100 in their "python version": pickled batches, in a folder or a .tar.gz.

Format: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from typing import Any

import numpy as np

from src.data import class_names
from src.data.sources.batches import PIXELS, BatchLayout, BatchSource, batch_set
from src.data.sources.unpickle import load_pickle
from src.data.types import ImageSet

__all__ = ["CifarPython"]

_INT64 = np.iinfo(np.int64)
_CIFAR10 = BatchLayout(
    "CIFAR-10, python version",
    tuple(f"data_batch_{number}" for number in range(1, 6)),
    ("test_batch",),
    ("batches.meta",),
    coarse=False,
)
_CIFAR100 = BatchLayout("CIFAR-100, python version", ("train",), ("test",), ("meta",), coarse=True)


class CifarPython(BatchSource):
    """A folder or archive of pickled batches."""

    layouts = (_CIFAR10, _CIFAR100)

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
        key, standard = "label_names", class_names.CIFAR10
        if self.layout.coarse:
            key = "fine_label_names" if self.fine_labels else "coarse_label_names"
            standard = class_names.CIFAR100 if self.fine_labels else class_names.CIFAR100_COARSE
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
