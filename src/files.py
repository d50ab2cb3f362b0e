"""Atomic writing of files, JSON, CSV tables and output directories."""

import codecs
import csv
import json
import os
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from src.errors import UserError, one_line
from src.text import printable


@contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file that replaces ``path`` when the block ends without an error.

    The temporary file is in the same directory, so the rename is atomic; it is flushed to the disk
    before and the directory after, so that a power cut leaves the old or the new file, whole.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, mode, newline="" if "b" not in mode else None) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


@contextmanager
def replacing_with(path: Path) -> Iterator[Path]:
    """As :func:`replacing`, for a library that takes a path instead of an open file."""
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    _sync_directory(path.parent)


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
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not a JSON object")
    return content


def _umask() -> int:
    # There is no call that only reads it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_directory(directory: Path) -> None:
    if sys.platform == "win32":
        return  # directories cannot be opened there
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def report_unwritable(place: Path) -> Iterator[None]:
    """Turn an OSError into a UserError that says that the folder ``place`` cannot be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise UserError(
            f"{printable(place)}: results cannot be written there ({reason}); choose another "
            "folder with output=<folder>"
        ) from error


def prepare_output_dir(place: Path) -> None:
    """Make a folder and check that it can be written, before any work is done."""
    with report_unwritable(place):
        place.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=place).close()


def remove_files(place: Path, names: Collection[str]) -> None:
    """Remove files of an earlier command, which would be taken for results of this one."""
    for name in names:
        (place / name).unlink(missing_ok=True)


@contextmanager
def table(path: Path) -> Iterator[Any]:
    r"""Open a CSV file in UTF-8; other bytes, as in file names, are written as ``\udc..``."""
    with replacing(path, "wb") as file:
        yield csv.writer(codecs.getwriter("utf-8")(file, "backslashreplace"))
