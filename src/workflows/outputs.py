"""The folder that results go to, and the tables in it."""

import codecs
import csv
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from src.config import UserError
from src.config.errors import one_line
from src.files import replacing
from src.names import printable

__all__ = ["prepare", "remove", "table", "written"]


@contextmanager
def written(place: Path) -> Iterator[None]:
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


def prepare(place: Path) -> None:
    """Make a folder and find out that it can be written, before any work is done for it.

    Raises:
        UserError: it cannot.
    """
    with written(place):
        place.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=place).close()


def remove(place: Path, names: Collection[str]) -> None:
    """Remove what an earlier call left: it would be taken for this one's."""
    for name in names:
        (place / name).unlink(missing_ok=True)


@contextmanager
def table(path: Path) -> Iterator[Any]:
    r"""A CSV file in UTF-8; bytes of a file name that are not are written as ``\udc..``."""
    with replacing(path, "wb") as file:
        yield csv.writer(codecs.getwriter("utf-8")(file, "backslashreplace"))
