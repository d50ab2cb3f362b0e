"""Child processes: Python programs, and the output of other commands."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from src.process.parent_watch import ParentWatch
from src.process.signals import handle_signals

Process = subprocess.Popen[bytes]
_POLL = 0.5
"""Seconds between two calls of ``stop``."""


def start_python(
    arguments: Sequence[str], environment: Mapping[str, str], watch: ParentWatch, **options: Any
) -> Process:
    """Start ``python <arguments>`` so that it ends with this process.

    The child is in a session of its own: Ctrl-C in a terminal reaches this process alone, which
    passes it on once; a run that gets two stops without saving.

    Args:
        environment: all its environment variables.
        options: of :class:`subprocess.Popen`.
    """
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=dict(environment) | watch.environment,
        pass_fds=watch.handles,
        start_new_session=True,
        **options,
    )


def send_signal(process: Process, number: int) -> None:
    """Send a signal, except for Ctrl-C on Windows, which reaches all processes of a console."""
    if sys.platform != "win32" or number == signal.SIGTERM:
        process.send_signal(number)


def output_of(*command: str) -> str:
    """The standard output of a command; empty if it fails or is not installed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def run_child(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: Path | None,
    directory: Path,
    stop: Callable[[], bool],
) -> tuple[int, int | None]:
    """Run ``python <arguments>`` and wait for its end, passing on every signal.

    Args:
        environment: variables in addition to this process's own.
        output: file that the child's output is appended to; ``None`` for the terminal.
        stop: called regularly; once it returns true the child is sent SIGINT.

    Returns:
        The exit code, negative for the signal that killed the child, and the first signal sent.
    """
    watch = ParentWatch()
    sent: list[int] = []
    with output.open("ab") if output else nullcontext() as sink:
        try:
            process = start_python(
                arguments,
                os.environ | dict(environment),
                watch,
                cwd=directory,
                stdout=sink,
                stderr=subprocess.STDOUT if sink else None,
            )
            watch.begin()

            def pass_on(number: int) -> None:
                sent.append(number)
                send_signal(process, number)

            with handle_signals(pass_on):
                while process.poll() is None:
                    try:
                        process.wait(_POLL)
                    except subprocess.TimeoutExpired:
                        # A second signal would end the child without saving.
                        if not sent and stop():
                            pass_on(signal.SIGINT)
        finally:
            watch.end()
    return process.returncode, sent[0] if sent else None
