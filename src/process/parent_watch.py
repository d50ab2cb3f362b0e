"""Parent-death watch: processes end when the one that started them is gone.

The parent holds one end of a pipe, and children wait for the other: the system closes it, also for
a process that was killed. Otherwise a killed sweep would leave runs behind that nobody sees. On
Windows, where children do not inherit pipes, they live on.
"""

import os
import signal
import threading
import time

from src.process.signals import unblock_signals

GRACE = 30.0
"""Seconds in which a process may save what it has before it is ended."""

_VARIABLE = "LIGHTNING_HYDRA_PARENT_WATCH"


class ParentWatch:
    """The starter's side.

    Attributes:
        environment: a variable for the processes that are started.
        handles: file descriptors for them, ``pass_fds`` of :class:`subprocess.Popen`.
    """

    def __init__(self) -> None:
        """Make the pipe."""
        self._theirs, self._ours = os.pipe()
        inherited = hasattr(os, "fork")
        self.environment = {_VARIABLE: str(self._theirs)} if inherited else {}
        self.handles = [self._theirs] if inherited else []

    def begin(self) -> None:
        """All are started: what they hold is now theirs alone."""
        os.close(self._theirs)

    def end(self) -> None:
        """Let go; whoever is left ends."""
        os.close(self._ours)


def stop_with_parent() -> None:
    """In a process that was started with one: stop when the starter is gone."""
    number = os.environ.pop(_VARIABLE, None)
    if number is None:
        return
    # Ray's workers hold signals back, and what they start inherits that.
    unblock_signals()

    def watch() -> None:
        os.read(int(number), 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
