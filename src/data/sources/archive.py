"""Archives, read in one pass from front to back, nothing ever written to disk.

Only plain files are taken. A name that leads out of the archive, a link or a device is refused,
and so is what unpacks to more than any data set: an archive may come from anywhere.
"""

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

__all__ = ["FILE_LIMIT", "TOTAL_LIMIT", "Member", "archive_kind", "member_names", "read_members"]

FILE_LIMIT = 64 << 20
TOTAL_LIMIT = 64 << 30

_MAGIC = {b"\xfd7zXZ\0": "tar.xz", b"\x1f\x8b": "tar.gz", b"BZh": "tar.bz2", b"PK\x03\x04": "zip"}
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_LEADS_OUT = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)")
_CHUNK = 1 << 20
_READ_LIMIT = 1 << 30
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # an encrypted zip
    NotImplementedError,  # a compression method zipfile does not know
)


class Member(NamedTuple):
    """A file of an archive, or a folder, whose content is None."""

    name: str
    content: bytes | None


class _Entry(NamedTuple):
    name: str
    size: int
    plain: bool  # neither a link nor a device
    folder: bool
    read: Callable[[], bytes]


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
            with _damage_named(path):
                content = entry.read()
            yield Member(entry.name, content)


def member_names(path: Path) -> Iterator[str]:
    """The names of an archive's files, as far as they are asked for.

    Raises:
        ValueError: as :func:`read_members`.
    """
    return (entry.name for entry in _entries(path, TOTAL_LIMIT) if not entry.folder)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(
            f"{path} cannot be read, it may be damaged or truncated: {error}"
        ) from error


def _entries(path: Path, total_limit: int) -> Iterator[_Entry]:
    kind = archive_kind(path)
    if kind is None:
        raise ValueError(f"{path} is no archive: .tar, .tar.gz, .tar.xz, .tar.bz2 or .zip expected")
    listing = (
        _zip_entries(path, total_limit) if kind == "zip" else _tar_entries(path, kind, total_limit)
    )
    with _damage_named(path):
        for entry in listing:
            if not entry.plain:
                raise ValueError(
                    f"{path} holds {entry.name!r}, a link or device; only files are accepted"
                )
            if _LEADS_OUT.search(entry.name):
                raise ValueError(f"{path} holds {entry.name!r}, which leads out of the archive")
            yield entry


class _Bounded:
    """A stream that refuses to deliver an unreasonable amount at once.

    tarfile loads a header's extension whole, whatever length it declares.
    """

    def __init__(self, stream: IO[bytes], path: Path):
        self._stream, self._path = stream, path
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if size > _READ_LIMIT:
            raise ValueError(f"{self._path} holds an entry of {size} bytes: too many to be right")
        return self._stream.read(size)


class _StrictTarInfo(tarfile.TarInfo):
    """A header that tarfile would silently take for the archive's end is an error."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            # A block of zeros is how an archive ends; a missing or damaged block is not.
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise
            raise tarfile.ReadError(str(error)) from error


def _open_tar(path: Path, kind: str) -> IO[bytes]:
    # The library's own streams check lengths and checksums; tarfile's "r|gz" does not.
    openers: dict[str, Any] = {"tar.xz": lzma.open, "tar.gz": gzip.open, "tar.bz2": bz2.open}
    return openers[kind](path) if kind in openers else path.open("rb")


def _tar_entries(path: Path, kind: str, total_limit: int) -> Iterator[_Entry]:
    # Entries are read in their order, so every seek goes forward: a compressed stream can do
    # that, and tarfile is twice as fast on a file as on its own kind of stream ("r|").
    with _open_tar(path, kind) as stream:
        file: Any = _Bounded(stream, path)
        with tarfile.open(fileobj=file, mode="r:", tarinfo=_StrictTarInfo) as archive:
            for info in archive:
                if archive.offset > total_limit:
                    raise ValueError(f"{path} unpacks to more than {total_limit} bytes")
                plain = info.isreg() or info.isdir()
                read = partial(_read_tar, archive, info)
                yield _Entry(info.name, info.size, plain, info.isdir(), read)
            room = total_limit - archive.offset
        # To the end of the file, where the compressed formats keep their checksum.
        while room > 0 and (rest := stream.read(_CHUNK)):
            room -= len(rest)


def _read_tar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(info)
    assert file is not None, info.name
    return file.read()


def _zip_entries(path: Path, total_limit: int) -> Iterator[_Entry]:
    with zipfile.ZipFile(path) as archive:
        if sum(info.file_size for info in archive.infolist()) > total_limit:
            raise ValueError(f"{path} unpacks to more than {total_limit} bytes")
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
            # zipfile stops at the declared size and checks the checksum there.
            read = partial(archive.read, info)
            yield _Entry(info.filename, info.file_size, plain, info.is_dir(), read)
