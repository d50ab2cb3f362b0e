"""Bounded reading and atomic writing of files, JSON, CSV tables and output folders."""

import csv
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from src.errors import UserError, one_line
from src.text import printable

READ_LIMIT = 1 << 30
"""The most bytes of a file that is read whole."""


def read_bounded(path: Path, name: str, *, limit: int = READ_LIMIT) -> bytes:
    """Read a regular file of at most ``limit`` bytes; errors are ValueErrors that call it ``name``.

    Pipes, sockets and devices are refused: reading from them might never end.
    """
    try:
        if path.is_symlink() and not path.exists():
            raise ValueError(f"{name} is a link to nothing: {printable(path.readlink())}")
        if not path.is_file():
            raise ValueError(f"{name} is not a file")
        if path.stat().st_size <= limit:
            with path.open("rb") as file:
                # Bounded all the same: some files of the kernel declare no size and never end.
                content = file.read(limit + 1)
            if len(content) <= limit:
                return content
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from error
    raise ValueError(f"{name} has more than the {limit} bytes that are accepted")


@contextmanager
def replacing(path: Path, mode: str = "w", **options: Any) -> Iterator[IO[Any]]:
    """Open a temporary file that replaces ``path`` when the block ends without an error.

    ``options`` are those of :func:`open`.
    """
    if "b" not in mode:
        options["newline"] = ""
    with replacing_with(path) as temporary, temporary.open(mode, **options) as file:
        yield file


@contextmanager
def replacing_with(path: Path) -> Iterator[Path]:
    """As :func:`replacing`, for a library that takes a path instead of an open file.

    The temporary file is on the same file system, so the rename is atomic; it is flushed to the
    disk before and the directory after, so that a power cut leaves the old or the new file, whole.
    """
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        yield temporary
        # Windows flushes only what may be written; elsewhere it may be a link to a read-only file.
        with temporary.open("r+b" if sys.platform == "win32" else "rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    if sys.platform != "win32":  # directories cannot be opened there
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write ``content`` as indented JSON, atomically."""
    with replacing(path) as file:
        json.dump(content, file, indent=2)
        file.write("\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; an empty dict if the file does not exist.

    Raises:
        ValueError: the file does not hold a JSON object.
    """
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not a JSON object")
    return content


@contextmanager
def table(path: Path) -> Iterator[Any]:
    r"""Open a CSV file in UTF-8; other bytes, as in file names, are written as ``\udc..``."""
    with replacing(path, encoding="utf-8", errors="backslashreplace") as file:
        yield csv.writer(file)


@contextmanager
def output_folder(chosen: str | None, default: Path) -> Iterator[Path]:
    """Make the folder of a command's results, the one of ``output=`` if chosen."""
    place = Path(chosen).expanduser() if chosen else default
    try:
        place.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=place).close()
        yield place
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise UserError(
            f"{printable(place)}: results cannot be written there ({reason}); choose another "
            "folder with output=<folder>"
        ) from error
