"""Arrays as a pickle describes them: of the bytes that are there, without calling numpy for it."""

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PickledArray", "PickledType"]

_NUMBERS = re.compile(r"[iu][1248]|f[248]|b1")
_ORDERS = ("<", ">", "=", "|")
_MOST_SIDES, _LONGEST_SIDE = 8, 1 << 40  # a product of larger numbers takes long by itself


class PickledType:
    """A type of numbers, as ``numpy.dtype`` would be asked to make it."""

    def __init__(self, code: object):
        text = code.decode("latin1") if isinstance(code, bytes) else code
        if not isinstance(text, str) or not _NUMBERS.fullmatch(text):
            raise ValueError("an array of something else than numbers")
        self._code = text
        self.dtype: np.dtype[Any] = np.dtype(text)

    def build(self, state: Any) -> None:
        """Take the byte order of numpy's (version, order, ...). Raises ValueError and others."""
        order = state[1].decode() if isinstance(state[1], bytes) else state[1]
        if order not in _ORDERS:
            raise ValueError("an array of unknown byte order")
        self.dtype = np.dtype(f"{order}{self._code}")


class PickledArray:
    """An array, empty until its shape, type and bytes are there."""

    value: NDArray[Any] | None = None

    def build(self, state: Any) -> None:
        """Take numpy's (version, shape, type, by columns, bytes). Raises ValueError and others."""
        _, shape, dtype, fortran, content = state
        if not isinstance(dtype, PickledType) or not isinstance(content, bytes):
            raise ValueError("an array without its type or its bytes")
        if type(shape) is not tuple or len(shape) > _MOST_SIDES:
            raise ValueError("an array of no shape")
        if not all(type(side) is int and 0 <= side <= _LONGEST_SIDE for side in shape):
            raise ValueError("an array of no shape")
        if math.prod(shape) * dtype.dtype.itemsize != len(content):
            raise ValueError("an array of another size than its shape says")
        flat = np.frombuffer(content, dtype.dtype)
        self.value = flat.reshape(shape, order="F" if fortran is True else "C")
