"""Reader of pickles that builds numpy arrays and plain values, and calls nothing.

A pickle is a program: its instructions name functions to call while it loads. The official CIFAR
batches name three of numpy's; here these are mere words, at which arrays are made of the bytes
that are there. Any other name, and any instruction that no batch needs, is refused.

The library reads the instructions (:func:`pickletools.genops`) and this file follows them. What a
file can ask for is bounded by its size: there is no memo entry, array or string larger than it.
"""

import math
import pickletools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.text import printable

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


_INSTRUCTIONS = 1_000_000  # CIFAR-100's training batch has a quarter of this
_PROTOCOL = 5
_RECONSTRUCT, _NDARRAY, _DTYPE = (
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
)
_MARK = object()

_BYTES = {"STRING", "BINSTRING", "SHORT_BINSTRING"}  # Python 2's; the library decodes them
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}
_MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}


class _RefusedError(ValueError):
    """The pickle wants something done that no batch needs."""


class _Name(tuple[str, str]):
    """One of the three names: module, name."""

    __slots__ = ()


class _Reader:
    """Follows a pickle's instructions."""

    def __init__(self, name: str):
        self._name = name
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def load(self, content: bytes) -> Any:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            if number >= _INSTRUCTIONS:
                raise _RefusedError(f"{self._name} has over {number} instructions: no CIFAR batch")
            self._follow(opcode.name, argument)
        (value,) = self._stack
        return value

    def _follow(self, name: str, argument: Any) -> None:
        if name in _BYTES:
            self._stack.append(argument.encode("latin1"))
        elif name in _VALUES:
            self._stack.append(argument)
        elif name in _MADE:
            self._stack.append(_MADE[name]())
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif step := getattr(self, f"_on_{name.lower()}", None):
            step(argument)
        else:
            raise _RefusedError(
                f"{self._name} holds the instruction {name}, which no CIFAR batch needs, so the "
                "file is refused"
            )

    def _marked(self) -> list[Any]:
        """Take off what has been put on the stack since the last mark."""
        place = len(self._stack) - 1
        while self._stack[place] is not _MARK:
            place -= 1
        taken = self._stack[place + 1 :]
        del self._stack[place:]
        return taken

    def _on_proto(self, argument: int) -> None:
        if argument > _PROTOCOL:
            raise ValueError(f"unknown protocol {argument}")

    def _on_frame(self, argument: int) -> None:
        """Nothing: how the file is to be read ahead."""

    _on_stop = _on_frame

    def _on_memoize(self, _: None) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _on_tuple(self, _: None) -> None:
        self._stack.append(tuple(self._marked()))

    def _last(self, count: int) -> None:
        self._stack[-count:] = [tuple(self._stack[-count:])]

    def _on_tuple1(self, _: None) -> None:
        self._last(1)

    def _on_tuple2(self, _: None) -> None:
        self._last(2)

    def _on_tuple3(self, _: None) -> None:
        self._last(3)

    def _on_list(self, _: None) -> None:
        self._stack.append(self._marked())

    def _on_append(self, _: None) -> None:
        self._extend([self._stack.pop()])

    def _on_appends(self, _: None) -> None:
        self._extend(self._marked())

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise ValueError(f"items for a {type(target).__name__}")
        target.extend(items)

    def _on_dict(self, _: None) -> None:
        items = self._marked()
        self._stack.append({})
        self._update(items)

    def _on_setitem(self, _: None) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._update([key, value])

    def _on_setitems(self, _: None) -> None:
        self._update(self._marked())

    def _update(self, items: list[Any]) -> None:
        target = self._stack[-1]
        keys, values = items[::2], items[1::2]
        # The hash of tuples in tuples may take for ever.
        if type(target) is not dict or not all(type(key) in (bytes, str) for key in keys):
            raise ValueError("keys that are no strings")
        target.update(zip(keys, values, strict=True))

    def _on_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._named(module, name)

    def _on_stack_global(self, _: None) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("a name that is no string")
        self._named(module, name)

    def _named(self, module: str, name: str) -> None:
        if (module, name) not in (_RECONSTRUCT, _NDARRAY, _DTYPE):
            raise _RefusedError(
                f"{self._name} asks for {printable(module[:80])}.{printable(name[:80])}: a CIFAR "
                "batch needs numpy arrays only, so the file is refused"
            )
        self._stack.append(_Name((module, name)))

    def _on_reduce(self, _: None) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        named = function if isinstance(function, _Name) else None
        if named == _RECONSTRUCT and arguments[0] == _NDARRAY:
            self._stack.append(PickledArray())
        elif named == _DTYPE:
            self._stack.append(PickledType(arguments[0]))
        else:
            raise _RefusedError(
                f"{self._name} wants something called that makes no array, so the file is refused"
            )

    def _on_build(self, _: None) -> None:
        state = self._stack.pop()
        target = self._stack[-1]
        if not isinstance(target, PickledArray | PickledType):
            raise ValueError("the state of something that has none")
        target.build(state)


def load_pickle(content: bytes, name: str) -> dict[str, Any]:
    """Load the dictionary a batch file holds.

    Python 2's strings arrive as bytes, except for the keys, which are decoded; arrays are
    read-only.

    Args:
        content: the file's bytes.
        name: what to call it in an error.

    Raises:
        ValueError: the pickle is damaged, is no dictionary with strings for keys, has an array of
            something else than numbers, holds an instruction that no batch needs, or names any
            global besides numpy.core.multiarray._reconstruct, numpy.ndarray and numpy.dtype.
    """
    try:
        loaded = _Reader(name).load(content)
    except _RefusedError:
        raise
    except Exception as error:  # instructions in any order fail in any way
        why = printable(f"{type(error).__name__}: {error}"[:200])
        raise ValueError(f"{name} is no readable pickle, it may be damaged ({why})") from error
    if not isinstance(loaded, dict):
        raise ValueError(f"{name} holds a {type(loaded).__name__}; a CIFAR batch is a dict")
    return {
        key.decode("latin1") if isinstance(key, bytes) else key: _plain(value)
        for key, value in loaded.items()
    }


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, PickledArray) else value
