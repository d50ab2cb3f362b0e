"""SIGINT and SIGTERM outside of training: raised as :class:`Interrupted`, or deferred.

Without torch; what training does with signals is in :mod:`src.training.callbacks.stop_on_signal`.
"""

import atexit
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from src.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def raise_on_signals() -> Iterator[None]:
    """Let both signals raise :class:`Interrupted`, unless somebody has other handlers for them.

    Left alone SIGTERM ends a process without a word, and records would say ``running``. Python's
    ``KeyboardInterrupt`` ends it by the signal instead of its exit code where it has come
    through an ``exec`` of text, as in the making of a dataclass.
    """
    defaults = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in _SIGNALS if _is_main_thread()}
    mine = {number: handler for number, handler in before.items() if handler in defaults}
    for number in mine:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in mine.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    raise Interrupted(number, f"interrupted{by}")


@contextmanager
def defer_signals(*, answered: bool) -> Iterator[None]:
    """Do something that must not be left half done.

    Args:
        answered: whether a signal that comes meanwhile is answered at the end, by whoever did
            before; otherwise it came too late.
    """
    if not _is_main_thread():
        yield
        return
    came: list[int] = []
    before = {item: signal.signal(item, lambda number, _: came.append(number)) for item in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if answered and came:
        signal.raise_signal(came[0])


def ignore_signals_at_exit() -> None:
    """All is done and said: what Python takes down, a second or two, changes no exit code."""
    atexit.register(lambda: [signal.signal(number, signal.SIG_IGN) for number in _SIGNALS])


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
