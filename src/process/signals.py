"""Handlers of SIGINT and SIGTERM; no other module installs any. Imports no torch."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from src.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def handle_signals(handler: Callable[[int], None]) -> Iterator[None]:
    """Call ``handler(number)`` on both signals; no effect outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {item: signal.signal(item, lambda number, _: handler(number)) for item in _SIGNALS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


@contextmanager
def raise_on_signals() -> Iterator[None]:
    """Raise :class:`Interrupted` on both signals.

    By default SIGTERM ends a process at once, and its record would still say ``running``.
    ``KeyboardInterrupt`` in the definition of a dataclass ends Python without an exit code.
    """

    def stop(number: int) -> None:
        by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
        raise Interrupted(number, f"interrupted{by}")

    with handle_signals(stop):
        yield


@contextmanager
def defer_signals(*, answered: bool) -> Iterator[None]:
    """Complete the block before a signal has an effect; drop the signal unless ``answered``."""
    received: list[int] = []
    with handle_signals(received.append):
        yield
    if answered and received:
        signal.raise_signal(received[0])


def import_uninterrupted(name: str) -> ModuleType:
    """Import a module, and answer a signal afterwards.

    An exception from a handler aborts the process while torch 2.15 loads its extensions: pybind11
    does not catch it.
    """
    with defer_signals(answered=True):
        return import_module(name)


def end_on_next(number: int) -> None:
    """End the process on the next signal of this number: restore the system's handler."""
    signal.signal(number, signal.SIG_DFL)


def ignore_signals() -> None:
    """Ignore both signals from now on."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
