"""Stopping of a sweep's jobs, which run in other processes or on other machines.

Hydra's launchers end their workers in ways of their own when they are interrupted (joblib kills
them), so the jobs have to be stopped before. They poll for a file in the sweep's directory, which
machines share.
"""

import logging
import os
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from src.errors import Interrupted, as_user_errors
from src.process.signals import handle_signals
from src.runs.reader import read_runs

GRACE = 120.0
"""Seconds that jobs have to write their checkpoints."""

_POLL = 0.2

log = logging.getLogger(__name__)


class SweepStop:
    """Request of the sweep's process, which makes it, to its jobs to stop; picklable."""

    def __init__(self, sweep: Path):
        self.sweep = sweep.absolute()
        self._file = self.sweep / f".stop-{uuid.uuid4().hex[:8]}"  # exists once they are to stop
        self._host, self._process = socket.gethostname(), os.getpid()

    def is_own_process(self) -> bool:
        """Whether this is the sweep's own process."""
        return (self._host, self._process) == (socket.gethostname(), os.getpid())

    def is_requested(self) -> bool:
        """Whether the jobs are to stop, or the sweep's process on this machine has ended."""
        is_local = self._host == socket.gethostname()
        return self._file.exists() or (is_local and not _is_alive(self._process))

    @contextmanager
    def request_on_signal(self) -> Iterator[None]:
        """Raise :class:`Interrupted` on a signal, once the jobs have saved their checkpoints.

        A second signal raises it at once.
        """
        received: list[int] = []

        def handle(number: int) -> None:
            received.append(number)
            if len(received) == 1:
                self._file.touch()
                _wait_for_jobs(self.sweep)
            raise Interrupted(received[0], "interrupted")

        with handle_signals(handle):
            try:
                yield
            except Exception as error:
                # A launcher may turn Interrupted into another exception.
                if received:
                    raise Interrupted(received[0], "interrupted") from error
                raise
            finally:
                self._file.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":
        return True  # os.kill would send Ctrl-C
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's, as with a Ray cluster that somebody else has started
    return True


def _wait_for_jobs(sweep: Path) -> None:
    """Wait until no job is running, for :data:`GRACE` at most."""
    if running := _running_jobs(sweep):
        log.warning("waiting for job %s to save; press Ctrl-C again to stop at once", running)
    deadline = time.monotonic() + GRACE
    while _running_jobs(sweep):
        if time.monotonic() > deadline:
            log.warning("some jobs are still running")
            return
        time.sleep(_POLL)


def _running_jobs(sweep: Path) -> str:
    with as_user_errors():
        return ", ".join(run.path.name for run in read_runs(sweep) if run.state == "running")
