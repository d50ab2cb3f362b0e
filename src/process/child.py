"""Child processes: the one module that starts them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from src.process.parent_watch import ParentWatch
from src.process.signals import handle_signals

_POLL = 0.5
"""Seconds between two looks at whether the child is to stop."""


def start_python(
    words: Sequence[str], environment: Mapping[str, str], watch: ParentWatch, **options: Any
) -> "subprocess.Popen[bytes]":
    """Start ``python <words>`` so that it ends with this process.

    It is no member of the terminal's foreground group: a Ctrl-C reaches this process alone, which
    passes it on once. A run takes a second one for impatience.

    Args:
        words: what follows ``python``.
        environment: all its variables.
        watch: tells it when this process is gone.
        options: further ones of :class:`subprocess.Popen`.
    """
    return subprocess.Popen(
        [sys.executable, *words],
        env=dict(environment) | watch.environment,
        pass_fds=watch.handles,
        start_new_session=True,
        **options,
    )


def send_signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    """Send a signal, but for Ctrl-C on Windows, which reaches every process of a console."""
    if sys.platform != "win32" or number == signal.SIGTERM:
        process.send_signal(number)


def output_of(*words: str) -> str:
    """What a command prints to its standard output; empty where it fails or is not installed."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def run_child(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: Path | None,
    place: Path,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[int, int | None]:
    """Run ``python <words>`` and wait for its end, passing on every signal.

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
    watch = ParentWatch()
    sink = None if output is None else output.open("ab")
    try:
        process = start_python(
            words,
            os.environ | dict(environment),
            watch,
            cwd=place,
            stdout=sink,
            stderr=None if sink is None else subprocess.STDOUT,
        )
        watch.begin()
        received: list[int] = []

        def pass_on(number: int) -> None:
            received.append(number)
            send_signal(process, number)

        with handle_signals(pass_on):
            code = _wait(process, received, stop)
    finally:
        watch.end()
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
                send_signal(process, signal.SIGINT)
