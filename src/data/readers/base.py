"""Reader protocol: one data set in one file format."""

import hashlib
from collections.abc import Iterable
from os import stat_result
from pathlib import Path
from typing import Protocol

from src.data.image_data import ImageData, ReadOptions


class Reader(Protocol):
    """One data set in one format at one place."""

    @property
    def description(self) -> str:
        """The format and the place in one line."""

    @property
    def location(self) -> Path | None:
        """The file or folder it is read from; None if it is not read from any."""

    def fingerprint(self) -> str:
        """A hash that changes whenever what :meth:`read` returns may change; cheap."""

    def read(self, options: ReadOptions) -> ImageData:
        """Read every image. Raises ValueError, naming the file, for what is damaged or lacking."""


def fingerprint_of(files: Iterable[tuple[str, stat_result]], *facts: object) -> str:
    """Hash of files by name, size and time of change, and of any other facts."""
    digest = hashlib.sha256(repr(facts).encode())
    for name, status in files:
        line = f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()
