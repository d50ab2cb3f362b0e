"""Archives, read in one pass from front to back, nothing ever written to disk.

Only plain files are taken. A name that leads out of the archive, a link or a device is refused,
and so is what unpacks to more than any data set: an archive may come from anywhere.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from src.data.sources.archive_entries import Entry, RefusedError, tar_entries, zip_entries
from src.names import printable

__all__ = ["FILE_LIMIT", "TOTAL_LIMIT", "Member", "archive_kind", "member_names", "read_members"]

FILE_LIMIT = 64 << 20
TOTAL_LIMIT = 64 << 30

_MAGIC = {b"\xfd7zXZ\0": "tar.xz", b"\x1f\x8b": "tar.gz", b"BZh": "tar.bz2", b"PK\x03\x04": "zip"}
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_LEADS_OUT = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)")


class Member(NamedTuple):
    """A file of an archive, or a folder, whose content is None."""

    name: str
    content: bytes | None


def archive_kind(path: Path) -> str | None:
    """``tar``, ``tar.gz``, ``tar.xz``, ``tar.bz2`` or ``zip``, by content; None: something else."""
    with path.open("rb") as file:
        start = file.read(512)
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    return "tar" if start[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC) else None


def read_members(
    path: Path,
    wanted: Callable[[str], bool],
    *,
    file_limit: int = FILE_LIMIT,
    total_limit: int = TOTAL_LIMIT,
) -> Iterator[Member]:
    """Read the wanted files of an archive, and its folders, in the order they are stored.

    Args:
        path: the archive: tar, plain or compressed by gzip, xz or bzip2, or zip.
        wanted: says of a file's name whether to read it.
        file_limit: the most bytes a wanted file may have.
        total_limit: the most bytes the archive may unpack to.

    Raises:
        ValueError: the archive is damaged, truncated, encrypted or too large, or holds a member
            that is refused, which is named.
    """
    for entry in _entries(path, total_limit):
        if entry.folder:
            yield Member(entry.name, None)
        elif wanted(entry.name):
            if entry.size > file_limit:
                raise ValueError(
                    f"{path} holds {entry.name!r} of {entry.size} bytes; at most {file_limit} are "
                    "accepted"
                )
            with _damage_named(f"{path}: {entry.name!r}"):
                content = entry.read()
            yield Member(entry.name, content)


def member_names(path: Path) -> Iterator[str]:
    """The names of an archive's files, as far as they are asked for.

    Raises:
        ValueError: as :func:`read_members`.
    """
    return (entry.name for entry in _entries(path, TOTAL_LIMIT) if not entry.folder)


@contextmanager
def _damage_named(where: str) -> Iterator[None]:
    try:
        yield
    except RefusedError:
        raise
    except Exception as error:  # the libraries fail in any way at damaged bytes
        raise ValueError(
            f"{where} cannot be read, it may be damaged or truncated: {printable(error)[:300]}"
        ) from error


def _entries(path: Path, total_limit: int) -> Iterator[Entry]:
    kind = archive_kind(path)
    if kind is None:
        raise ValueError(f"{path} is no archive: .tar, .tar.gz, .tar.xz, .tar.bz2 or .zip expected")
    listing = (
        zip_entries(path, total_limit) if kind == "zip" else tar_entries(path, kind, total_limit)
    )
    with _damage_named(str(path)):
        for entry in listing:
            if not entry.plain:
                raise RefusedError(
                    f"{path} holds {entry.name!r}, a link or device or a file with holes; only "
                    "plain files are accepted"
                )
            if _LEADS_OUT.search(entry.name):
                raise RefusedError(f"{path} holds {entry.name!r}, which leads out of the archive")
            yield entry
