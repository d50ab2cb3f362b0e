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
    """Open a temporary file beside ``path`` that takes its place when the block ends well.

    The temporary is in the same directory, so the final rename is atomic; it is flushed to
    the disk first and the directory after, so that a power cut leaves the old or the new file,
    whole. On an error the temporary is removed and the old file stays.

    Raises:
        OSError: the directory cannot be written or the disk is full.
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
    """A name beside ``path`` for a program that writes files itself; then as :func:`replacing`.

    Raises:
        OSError: the directory cannot be written or the disk is full.
    """
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
    """The JSON object in a file; an empty dict when there is none.

    Raises:
        ValueError: the file holds something else than a JSON object.
    """
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: a JSON object is expected")
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
    """Say of a folder, in a line, that it cannot be written.

    Raises:
        UserError: what is done inside meets an error of the system.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise UserError(
            f"{printable(place)}: results cannot be written there ({reason}); choose another "
            "folder with output=<folder>"
        ) from error


def prepare_output_dir(place: Path) -> None:
    """Make a folder and find out that it can be written, before any work is done for it.

    Raises:
        UserError: it cannot.
    """
    with report_unwritable(place):
        place.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=place).close()


def remove_files(place: Path, names: Collection[str]) -> None:
    """Remove what an earlier call left: it would be taken for this one's."""
    for name in names:
        (place / name).unlink(missing_ok=True)


@contextmanager
def table(path: Path) -> Iterator[Any]:
    r"""A CSV file in UTF-8; bytes of a file name that are not are written as ``\udc..``."""
    with replacing(path, "wb") as file:
        yield csv.writer(codecs.getwriter("utf-8")(file, "backslashreplace"))
