"""Child processes that end with their parent, even if it is killed.

The parent holds one end of a pipe, and a thread in each child reads from the other, which ends when
the system closes the parent's. Otherwise a killed sweep would leave runs behind. On Windows, where
children do not inherit pipes, they live on.
"""

import os
import signal
import threading
import time

from src.process.signals import unblock_signals

GRACE = 30.0
"""Seconds from SIGTERM until a child exits: it may save a checkpoint."""

_VARIABLE = "LIGHTNING_HYDRA_PARENT_WATCH"


class ParentWatch:
    """The parent's end of the pipe.

    Attributes:
        environment: environment variable for the children.
        handles: file descriptors for the children, ``pass_fds`` of :class:`subprocess.Popen`.
    """

    def __init__(self) -> None:
        self._child_end, self._parent_end = os.pipe()
        inherited = hasattr(os, "fork")
        self.environment = {_VARIABLE: str(self._child_end)} if inherited else {}
        self.handles = [self._child_end] if inherited else []

    def begin(self) -> None:
        """Close the children's end in this process; call it when all children are started."""
        os.close(self._child_end)

    def end(self) -> None:
        """Close the parent's end; children that still run are ended."""
        os.close(self._parent_end)


def stop_with_parent() -> None:
    """In a process started with a :class:`ParentWatch`: end it when its parent has ended."""
    number = os.environ.pop(_VARIABLE, None)
    if number is None:
        return
    # Ray's workers block signals, and their child processes inherit that.
    unblock_signals()

    def watch() -> None:
        os.read(int(number), 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
