"""Lock on a run directory, which the system releases when the process that holds it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from src.process.file_lock import lock_file
from src.runs.directory import RunDirectory

_held: set[int] = set()


def _close_held() -> None:
    for handle in _held:
        os.close(handle)
    _held.clear()


# Loader processes outlive a killed run for some seconds and would keep it from being resumed.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_held)


@contextmanager
def locked(directory: RunDirectory) -> Iterator[None]:
    """Hold a run's lock inside of the block.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    handle = os.open(directory.lock, os.O_RDWR | os.O_CREAT, 0o666)
    _held.add(handle)
    try:
        try:
            lock_file(handle)
        except BlockingIOError as error:
            raise BlockingIOError(
                f"{directory.path}: another process is training this run"
            ) from error
        yield
    finally:
        # In a forked process it is closed, and its number may be that of another file.
        if handle in _held:
            _held.remove(handle)
            os.close(handle)


def is_locked(directory: RunDirectory) -> bool:
    """Whether a process holds a run's lock; false on a file system without locks."""
    try:
        handle = os.open(directory.lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        lock_file(handle, shared=True)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False
