"""The standard library's unpickler, reduced to NumPy arrays of numbers and plain values.

A pickle is a program: its instructions name functions to call while it loads. The official CIFAR
batches name three of NumPy's, for which functions of this file stand in; any other name, and any
instruction that no batch needs, is refused. No array or string is larger than the file.
"""

import io
import pickle
import pickletools
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.text import printable

_NUMBERS = re.compile(r"[iu][1248]|f[248]|b1")
_ORDERS = ("<", ">", "=", "|")
_MAX_INSTRUCTIONS = 1_000_000  # CIFAR-100's training batch has a quarter of this
_INSTRUCTIONS = """
    PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT
    BINFLOAT STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 UNICODE BINUNICODE
    SHORT_BINUNICODE BINUNICODE8 EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND
    APPENDS EMPTY_DICT DICT SETITEM SETITEMS PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET
    GLOBAL STACK_GLOBAL REDUCE BUILD
"""


class _RefusedError(ValueError):
    """The pickle wants something done that no batch needs."""


class _DType:
    """Stand-in for ``numpy.dtype``."""

    def __init__(self, code: Any, *_: Any):
        self.code = code.decode("latin1") if isinstance(code, bytes) else code
        if not isinstance(self.code, str) or not _NUMBERS.fullmatch(self.code):
            raise ValueError("an array of something else than numbers")
        self.dtype: np.dtype[Any] = np.dtype(self.code)

    def __setstate__(self, state: Any) -> None:
        _, order, *_ = state  # NumPy's (version, byte order, ...)
        order = order.decode() if isinstance(order, bytes) else order
        if order not in _ORDERS:
            raise ValueError("an array of unknown byte order")
        self.dtype = np.dtype(f"{order}{self.code}")


class _Array:
    """Stand-in for ``numpy.ndarray`` that takes no memory before its bytes are there."""

    value: NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state  # of which the first is a version
        if not isinstance(dtype, _DType):
            raise ValueError("an array without its type")
        # A view of the content: NumPy refuses any shape of another size.
        self.value = np.frombuffer(content, dtype.dtype).reshape(
            shape, order="F" if fortran is True else "C"
        )


def _ndarray(*_: Any) -> Any:
    """Stand-in for ``numpy.ndarray`` as an argument of ``_reconstruct``."""
    raise _RefusedError("wants something called that makes no array, so the file is refused")


def _reconstruct(kind: Any, *_: Any) -> _Array:
    """Stand-in for ``numpy.core.multiarray._reconstruct``, which makes an empty array."""
    if kind is not _ndarray:
        raise _RefusedError("makes an array of another class, so the file is refused")
    return _Array()


_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _ndarray,
    ("numpy", "dtype"): _DType,
}


class _StringDict(dict[bytes | str, Any]):
    """A dictionary with strings for keys: hashing tuples of tuples may take for ever."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if type(key) not in (bytes, str):
            raise ValueError("keys that are no strings")
        super().__setitem__(key, value)


class _Dispatch(dict[int, Any]):
    """The unpickler's method for each instruction; refuses others, and more than a million."""

    lookups = 0

    def __getitem__(self, opcode: int) -> Any:
        self.lookups += 1
        if self.lookups > _MAX_INSTRUCTIONS:
            raise _RefusedError(f"has over {_MAX_INSTRUCTIONS} instructions: no CIFAR batch")
        if opcode not in self:
            name = {op.code: op.name for op in pickletools.opcodes}[chr(opcode)]
            raise _RefusedError(
                f"holds the instruction {name}, which no CIFAR batch needs, so the file is refused"
            )
        return super().__getitem__(opcode)


_Base: Any = pickle._Unpickler  # whose methods typeshed does not declare


class _Unpickler(_Base):
    """The library's unpickler in Python, with fewer instructions and stricter methods."""

    def __init__(self, content: bytes):
        super().__init__(io.BytesIO(content), encoding="bytes")
        self.dispatch = _Dispatch()
        for instruction in _INSTRUCTIONS.split():
            (opcode,) = getattr(pickle, instruction)
            # By name, so that the methods below take the place of the library's.
            self.dispatch[opcode] = getattr(_Unpickler, _Base.dispatch[opcode].__name__)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _GLOBALS:
            raise _RefusedError(
                f"asks for {printable(module[:80])}.{printable(name[:80])}: a CIFAR batch needs "
                "numpy arrays only, so the file is refused"
            )
        return _GLOBALS[module, name]

    def load_empty_dictionary(self) -> None:
        self.append(_StringDict())

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append(_StringDict())
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.stack[-1][key] = value

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Array | _DType):
            raise ValueError("the state of something that has none")
        self.stack[-1].__setstate__(state)


def load_pickle(content: bytes, name: str) -> dict[str, Any]:
    """Load the dictionary in the content of a batch file, which errors call ``name``.

    Python 2's strings stay bytes, except for the keys; arrays are read-only.
    """
    try:
        loaded = _Unpickler(content).load()
    except _RefusedError as error:
        raise ValueError(f"{name} {error}") from error
    except Exception as error:  # instructions in any order fail in any way
        why = printable(f"{type(error).__name__}: {error}"[:200])
        raise ValueError(f"{name} is no readable pickle, it may be damaged ({why})") from error
    if not isinstance(loaded, dict):
        raise ValueError(f"{name} holds a {type(loaded).__name__}; a CIFAR batch is a dict")
    batch = {}
    for key, value in loaded.items():
        text = key.decode("latin1") if isinstance(key, bytes) else key
        batch[text] = value.value if isinstance(value, _Array) else value
    return batch
