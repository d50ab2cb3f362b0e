"""Child processes: Python programs that end with their parent, and the output of commands.

The parent holds one end of a pipe until it ends, even if it is killed; a thread in each child reads
from the other end. Otherwise a killed sweep would leave runs behind. On Windows, where children do
not inherit pipes, they live on.
"""

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from src.process.signals import handle_signals

Process = subprocess.Popen[bytes]

_PIPE = "LIGHTNING_HYDRA_PARENT_WATCH"
_ROOT = Path(__file__).resolve().parents[2]
_GRACE = 30.0
"""Seconds from SIGTERM until a child without a parent exits: it may save a checkpoint."""
_POLL = 0.5
"""Seconds between two calls of ``stop``."""


@functools.cache
def _pipe_to_children() -> int:
    """The children's end of a pipe whose other end stays open as long as this process lives."""
    return os.pipe()[0]


def stop_with_parent() -> None:
    """In a process started by :func:`start_python`: end it when its parent has ended."""
    pipe = os.environ.pop(_PIPE, None)
    if pipe is None:
        return
    # Ray's workers block signals, and their child processes inherit that.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))

    def watch() -> None:
        os.read(int(pipe), 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def project_on_python_path() -> dict[str, str]:
    """``PYTHONPATH`` with this project first: children import it from any working directory."""
    paths = filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")])
    return {"PYTHONPATH": os.pathsep.join(paths)}


def start_python(
    arguments: Sequence[str], environment: Mapping[str, str], **options: Any
) -> Process:
    """Start ``python <arguments>`` so that it ends with this process.

    The child is in a session of its own: Ctrl-C in a terminal reaches this process alone, which
    passes it on once; a run that gets two stops without saving.

    Args:
        environment: variables in addition to this process's own.
        options: of :class:`subprocess.Popen`.
    """
    env = os.environ | environment
    if hasattr(os, "fork"):
        pipe = _pipe_to_children()
        env[_PIPE] = str(pipe)
        options["pass_fds"] = [pipe]
    return subprocess.Popen(
        [sys.executable, *arguments], env=env, start_new_session=True, **options
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
        output: file that the child's output is appended to; ``None`` for the terminal.
        stop: called regularly; once it returns true the child is sent SIGINT.

    Returns:
        The exit code, negative for the signal that killed the child, and the first signal sent.
    """
    with output.open("ab") if output else nullcontext() as sink:
        process = start_python(
            arguments,
            environment,
            cwd=directory,
            stdout=sink,
            stderr=subprocess.STDOUT if sink else None,
        )
    sent: list[int] = []

    def pass_on(number: int) -> None:
        sent.append(number)
        send_signal(process, number)

    try:
        with handle_signals(pass_on):
            while process.poll() is None:
                try:
                    process.wait(_POLL)
                except subprocess.TimeoutExpired:
                    # A second signal would end the child without saving.
                    if not sent and stop():
                        pass_on(signal.SIGINT)
    finally:
        if process.poll() is None:  # an error has ended the loop
            process.terminate()
            process.wait()  # until it has saved
    return process.returncode, sent[0] if sent else None
