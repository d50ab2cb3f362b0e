"""Run a Python module as a child process that signals are passed on to."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from src.process.parent_watch import ParentWatch

_RELAYED = (signal.SIGINT, signal.SIGTERM)
_POLL = 0.5
"""Seconds between two looks at whether the child is to stop."""


def run_child(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: Path | None,
    place: Path,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[int, int | None]:
    """Run ``python <words>`` and wait for its end.

    The child is no member of the terminal's foreground group: a Ctrl-C reaches this process
    alone, which passes it on once. So do SIGTERM and a second signal. It stops when this process
    is gone.

    Args:
        words: what follows ``python``.
        environment: variables on top of this process's own.
        output: the file its output is appended to; ``None``: the terminal.
        place: the directory it runs in.
        stop: asked now and then whether the child is to stop as by Ctrl-C.

    Returns:
        Its exit code, negative for the signal that killed it, and the first signal passed on.

    Raises:
        OSError: it cannot be started, or ``output`` cannot be written.
    """
    lifeline = ParentWatch()
    variables = os.environ | dict(environment) | lifeline.environment
    sink = None if output is None else output.open("ab")
    try:
        process = subprocess.Popen(
            [sys.executable, *words],
            env=variables,
            cwd=place,
            stdout=sink,
            stderr=None if sink is None else subprocess.STDOUT,
            start_new_session=True,
            pass_fds=lifeline.handles,
        )
        lifeline.begin()
        with _relaying(process) as received:
            code = _wait(process, received, stop)
    finally:
        lifeline.end()
        if sink is not None:
            sink.close()
    return code, received[0] if received else None


def _wait(process: "subprocess.Popen[bytes]", received: list[int], stop: Callable[[], bool]) -> int:
    while True:
        try:
            return process.wait(_POLL)
        except subprocess.TimeoutExpired:
            # A second signal would end the child at once.
            if not received and stop():
                received.append(signal.SIGINT)
                process.send_signal(signal.SIGINT)


@contextmanager
def _relaying(process: "subprocess.Popen[bytes]") -> Iterator[list[int]]:
    """Pass signals on to a process; the list has those received."""
    received: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        received.append(number)
        process.send_signal(number)

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.signal(number, pass_on) for number in _RELAYED}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
