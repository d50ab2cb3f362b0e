"""Handlers of SIGINT and SIGTERM: the one module that installs them. Without torch."""

import atexit
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from src.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def handle_signals(handler: Callable[[int], None]) -> Iterator[None]:
    """Call ``handler(number)`` on both signals; does nothing outside of the main thread."""
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

    Left alone SIGTERM ends a process without a word, and records would say ``running``. Python's
    ``KeyboardInterrupt`` ends it by the signal instead of its exit code where it has come
    through an ``exec`` of text, as in the making of a dataclass.
    """

    def stop(number: int) -> None:
        by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
        raise Interrupted(number, f"interrupted{by}")

    with handle_signals(stop):
        yield


@contextmanager
def defer_signals(*, answered: bool) -> Iterator[None]:
    """Do something that must not be left half done.

    Args:
        answered: whether a signal that comes meanwhile is answered at the end, by whoever did
            before; otherwise it came too late.
    """
    came: list[int] = []
    with handle_signals(came.append):
        yield
    if answered and came:
        signal.raise_signal(came[0])


def end_on_next(number: int) -> None:
    """Let the system end the process on the next signal of this number."""
    signal.signal(number, signal.SIG_DFL)


def unblock_signals() -> None:
    """Receive both signals also where the process that started this one holds them back."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def ignore_signals_at_exit() -> None:
    """Keep the exit code while Python takes itself down, which lasts a second or two."""
    atexit.register(lambda: [signal.signal(number, signal.SIG_IGN) for number in _SIGNALS])
