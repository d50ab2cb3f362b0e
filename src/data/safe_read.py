"""Bounded reading of files that may be pipes, devices or links to nothing."""

import os
from pathlib import Path

from src.text import printable

FILE_LIMIT = 1 << 30


def check_regular_file(path: Path, name: str) -> None:
    """Raise ValueError unless a path is a file, or a link to one, that can be looked at.

    Reading from a pipe, a socket or a device might never end.

    Args:
        path: the file.
        name: what to call it in an error.
    """
    try:
        if path.is_symlink() and not path.exists():
            raise ValueError(f"{name} is a link to nothing: {printable(path.readlink())}")
        if not path.is_file():
            raise ValueError(f"{name} is not a file")
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from error


def read_bounded(path: Path, name: str, *, limit: int = FILE_LIMIT) -> bytes:
    """Read a file.

    Args:
        path: the file.
        name: what to call it in an error.
        limit: the most bytes it may have.

    Raises:
        ValueError: it is no file, is larger, or cannot be read; the message says which.
    """
    check_regular_file(path, name)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise ValueError(f"{name} has {size} bytes; at most {limit} are accepted")
            # Some files of the kernel declare no size and never end.
            content = file.read(limit + 1)
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from error
    if len(content) > limit:
        raise ValueError(f"{name} has more than {limit} bytes")
    return content
