"""Locks on files, which the system releases when the process that holds them ends."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO
from weakref import WeakSet

from src.runs.directory import RunDirectory

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

_POLL = 0.05

_held: WeakSet[IO[str]] = WeakSet()


def _close_held() -> None:
    for file in _held:
        file.close()


# Loader processes outlive a killed run for some seconds and would keep it from being resumed.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_held)


def lock_file(file: IO[str], *, shared: bool = False, wait: bool = False) -> None:
    """Lock an open file until it is closed.

    Args:
        shared: whether others may hold a shared lock as well; on Windows none may.
        wait: whether to wait while another process holds the lock.

    Raises:
        BlockingIOError: another process holds the lock.
        OSError: the file system has no locks.
    """
    if fcntl is not None:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
        return
    while True:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            return
        except OSError as error:
            if not wait:
                raise BlockingIOError(*error.args) from error
        time.sleep(_POLL)


@contextmanager
def locked(directory: RunDirectory) -> Iterator[None]:
    """Hold a run's lock inside of the block; raise BlockingIOError if another process does."""
    with directory.lock.open("a") as file:
        _held.add(file)
        try:
            lock_file(file)
        except BlockingIOError as error:
            raise BlockingIOError(
                f"{directory.path}: another process is training this run"
            ) from error
        yield


def is_locked(directory: RunDirectory) -> bool:
    """Whether a process holds a run's lock; false on a file system without locks."""
    try:
        with directory.lock.open() as file:
            lock_file(file, shared=True)
    except BlockingIOError:
        return True
    except OSError:
        pass  # never locked, or no locks on this file system
    return False
