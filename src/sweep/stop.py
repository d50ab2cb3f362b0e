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
from dataclasses import dataclass, field
from pathlib import Path

from src.errors import Interrupted, as_user_errors
from src.process.signals import handle_signals
from src.runs.reader import read_runs

GRACE = 120.0
"""Seconds that jobs have to write their checkpoints."""

_POLL = 0.2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StopRequest:
    """Request of a sweep's process to its jobs to stop; picklable."""

    sweep: Path  # absolute path of the sweep's directory
    host: str = field(default_factory=socket.gethostname)  # of the sweep's process
    process: int = field(default_factory=os.getpid)
    name: str = field(default_factory=lambda: f".stop-{uuid.uuid4().hex[:8]}")

    @property
    def _file(self) -> Path:
        """The file that exists once the jobs are to stop."""
        return self.sweep / self.name

    def is_own_process(self) -> bool:
        """Whether this is the sweep's own process."""
        return self.process == os.getpid() and self.host == socket.gethostname()

    def is_made(self) -> bool:
        """Whether the jobs are to stop, or the sweep's process on this machine has ended."""
        is_local = self.host == socket.gethostname()
        return self._file.exists() or (is_local and not _is_alive(self.process))

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
                _wait_for_jobs(self.sweep, received)
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
        pass
    return True


def _wait_for_jobs(sweep: Path, received: list[int]) -> None:
    """Wait until no job is running, for :data:`GRACE` at most, or until a second signal."""
    if running := _running_jobs(sweep):
        log.warning("waiting for job %s to save; press Ctrl-C again to stop at once", running)
    deadline = time.monotonic() + GRACE
    while _running_jobs(sweep):
        if time.monotonic() > deadline or len(received) > 1:
            log.warning("some jobs are still running")
            return
        time.sleep(_POLL)


def _running_jobs(sweep: Path) -> str:
    with as_user_errors():
        return ", ".join(run.path.name for run in read_runs(sweep) if run.state == "running")
