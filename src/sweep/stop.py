"""Stop the jobs of a sweep that run in other processes or on other machines.

An engine ends its workers in its own way when it is interrupted, joblib by killing them: the jobs
have to be stopped before. They look for a file that only this sweep's process makes, which every
engine that shares the directory can see.
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
"""Seconds that jobs get to write their checkpoints."""

_POLL = 0.2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stop:
    """Says to the jobs of one sweep process when they are to stop; can be sent to others.

    Attributes:
        file: is there from then on.
        host: the machine of the sweep's process.
        process: its number there.
    """

    file: Path
    host: str = field(default_factory=socket.gethostname)
    process: int = field(default_factory=os.getpid)

    @classmethod
    def of(cls, sweep: Path) -> "Stop":
        """A new one, for the sweep in a directory."""
        return cls(sweep.absolute() / f".stop-{uuid.uuid4().hex[:8]}")

    def is_here(self) -> bool:
        """Whether this is the sweep's own process, which is to end with the job."""
        return self.process == os.getpid() and self.host == socket.gethostname()

    def wanted(self) -> bool:
        """Whether jobs are to stop: asked for, or the sweep's process on this machine is gone."""
        return self.file.exists() or (
            self.host == socket.gethostname() and not _is_alive(self.process)
        )


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


@contextmanager
def interruptible(sweep: Path, stop: Stop) -> Iterator[None]:
    """End what is done here on Ctrl-C and SIGTERM, once the jobs have saved what they have.

    A second signal does not wait for them.

    Raises:
        Interrupted: a signal came.
    """
    received: list[int] = []

    def on_signal(number: int) -> None:
        received.append(number)
        if len(received) == 1:
            stop.file.touch()
            _wait_for_jobs(sweep, received)
        raise Interrupted(received[0], "interrupted")

    with handle_signals(on_signal):
        try:
            yield
        except Exception as error:
            # Raised inside of an engine, Interrupted may come out as something else.
            if received:
                raise Interrupted(received[0], "interrupted") from error
            raise
        finally:
            stop.file.unlink(missing_ok=True)


def _wait_for_jobs(sweep: Path, received: list[int]) -> None:
    deadline = time.monotonic() + GRACE
    said = False
    while time.monotonic() < deadline and len(received) == 1:
        with as_user_errors():
            running = [run.path.name for run in read_runs(sweep) if run.state == "running"]
        if not running:
            return
        if not said:
            log.warning("waiting for job %s to save; once more to stop at once", ", ".join(running))
            said = True
        time.sleep(_POLL)
    log.warning("some jobs are still running")
