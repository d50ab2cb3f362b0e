"""A pickle reader that can build numpy arrays and plain values, and nothing else.

A pickle names the functions to call while it loads; the official CIFAR batches name three. Any
other name in one is a program somebody wants run.
"""

import io
import pickle
from typing import Any

import numpy as np

__all__ = ["load_pickle"]

_ALLOWED = {
    # Taken from numpy itself: it has moved the function since the files were written.
    ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes, name: str):
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._name = name

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise _RefusedError(
                f"{self._name} asks for {module}.{name}: a CIFAR batch needs numpy arrays only, "
                "so the file is refused"
            ) from None


class _RefusedError(ValueError):
    """The pickle wants something called that no batch needs."""


def load_pickle(content: bytes, name: str) -> dict[str, Any]:
    """Load the dictionary a batch file holds.

    Python 2's strings arrive as bytes, except for the keys, which are decoded.

    Args:
        content: the file's bytes.
        name: what to call it in an error.

    Raises:
        ValueError: the pickle is damaged, is no dictionary, or names any global besides
            numpy.core.multiarray._reconstruct, numpy.ndarray and numpy.dtype.
    """
    try:
        loaded = _Unpickler(content, name).load()
    except _RefusedError:
        raise
    except Exception as error:  # a damaged pickle may raise anything at all
        raise ValueError(f"{name} is no readable pickle, it may be damaged: {error!r}") from error
    if not isinstance(loaded, dict):
        raise ValueError(f"{name} holds a {type(loaded).__name__}; a CIFAR batch is a dict")
    return {k.decode("latin1") if isinstance(k, bytes) else str(k): v for k, v in loaded.items()}
