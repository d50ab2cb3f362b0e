"""Keeping freed memory in the process, so that the next step finds it."""

import ctypes
import sys

__all__ = ["default_memory", "keep_memory"]

# malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

_NEVER = -1
_GIB, _MIB = 1 << 30, 1 << 20


def keep_memory() -> bool:
    """Let the C library keep what is freed instead of handing it back to the kernel.

    A training step on the CPU frees the activations it has allocated. By default glibc returns
    blocks above 32 MiB at once, and the end of the heap whenever it is free (mallopt(3)); the next
    step then takes every page anew, which the kernel has to find and to clear. The process stays
    as large as its largest step. Numbers are not touched.

    Returns:
        Whether there is such a C library; elsewhere nothing is done.
    """
    return _set(_GIB, _NEVER)


def default_memory() -> bool:
    """Undo :func:`keep_memory`: the values that glibc's own adjustment ends at in training."""
    return _set(32 * _MIB, 64 * _MIB)


def _set(mmap_threshold: int, trim_threshold: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    done = [mallopt(_M_MMAP_THRESHOLD, mmap_threshold), mallopt(_M_TRIM_THRESHOLD, trim_threshold)]
    return all(done)
