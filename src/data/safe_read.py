"""Bounded reading of files that may be pipes, devices or links to nothing."""

import os
from pathlib import Path

from src.text import printable

FILE_LIMIT = 1 << 30


def check_regular_file(path: Path, name: str) -> None:
    """Raise ValueError, with `name` for the path, unless it is a file or a link to one.

    Reading from a pipe, a socket or a device might never end.
    """
    try:
        if path.is_symlink() and not path.exists():
            raise ValueError(f"{name} is a link to nothing: {printable(path.readlink())}")
        if not path.is_file():
            raise ValueError(f"{name} is not a file")
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from error


def read_bounded(path: Path, name: str, *, limit: int = FILE_LIMIT) -> bytes:
    """Read a file of at most `limit` bytes; errors are ValueErrors that call it `name`."""
    check_regular_file(path, name)
    try:
        with path.open("rb") as file:
            too_large = os.fstat(file.fileno()).st_size > limit
            # Bounded all the same: some files of the kernel declare no size and never end.
            content = b"" if too_large else file.read(limit + 1)
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from error
    if too_large or len(content) > limit:
        raise ValueError(f"{name} has more than the {limit} bytes that are accepted")
    return content
