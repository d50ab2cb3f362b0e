"""Members of tar and zip files in one pass, with bounds on what they unpack to."""

import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

from src.text import printable

FILE_LIMIT = 64 << 20  # bytes of a file
TOTAL_LIMIT = 64 << 30  # bytes that an archive may unpack to
# Images are compressed already: archives of them, and CIFAR's, unpack to less than twice their
# size, and flat drawings in BMP to some fifty times. gzip alone reaches 1,032 times, with zeros.
_RATIO = 200
_FREE = 256 << 20  # a second's work, whatever the ratio
_CHUNK, _PIECE = 1 << 20, 4096
_EXTENSION_TYPES = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)
_EXTENSION_LIMIT = 1 << 20
_UTF8_FLAG = 0x800  # of a zip entry's name; zipfile takes other names for code page 437

_MAGIC = {b"\xfd7zXZ\0": "tar.xz", b"\x1f\x8b": "tar.gz", b"BZh": "tar.bz2", b"PK\x03\x04": "zip"}
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_LEADS_OUT = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)")


class _Entry(NamedTuple):
    """A member that is not read yet."""

    name: str
    size: int  # of its content, as declared
    plain: bool  # neither a link nor a device nor a file with holes
    folder: bool
    read: Callable[[], bytes]  # to be called before the next entry is asked for


class _RefusedError(ValueError):
    """An archive that is not damaged, but holds what is not accepted."""


def archive_kind(path: Path) -> str | None:
    """``tar``, ``tar.gz``, ``tar.xz``, ``tar.bz2`` or ``zip``, by content; None: something else."""
    with path.open("rb") as file:
        start = file.read(512)
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    return "tar" if start.startswith(_TAR_MAGIC, _TAR_MAGIC_AT) else None


def unpacked_limit(path: Path) -> int:
    """The most bytes that a compressed file may unpack to; more are a decompression bomb."""
    return max(_FREE, _RATIO * path.stat().st_size)


def read_members(
    path: Path, wanted: Callable[[str], bool], *, file_limit: int = FILE_LIMIT
) -> Iterator[tuple[str, bytes | None]]:
    """Name and content of the wanted files of an archive, name and None of its folders, as stored.

    Raises ValueError if the archive is damaged, encrypted or too large, or a member is refused.

    Args:
        wanted: whether to read the file of a name.
        file_limit: the most bytes a wanted file may have.
    """
    for entry in _entries(path):
        if entry.folder:
            yield entry.name, None
        elif wanted(entry.name):
            if entry.size > file_limit:
                raise ValueError(
                    f"{path} holds {entry.name!r} of {entry.size} bytes; at most {file_limit} are "
                    "accepted"
                )
            with _damage_named(f"{path}: {entry.name!r}"):
                content = entry.read()
            yield entry.name, content


def member_names(path: Path) -> Iterator[str]:
    """The names of an archive's files, read as far as they are asked for. Raises as above."""
    return (entry.name for entry in _entries(path) if not entry.folder)


def _entries(path: Path) -> Iterator[_Entry]:
    kind = archive_kind(path)
    if kind is None:
        raise ValueError(f"{path} is no archive: .tar, .tar.gz, .tar.xz, .tar.bz2 or .zip expected")
    limit = TOTAL_LIMIT if kind == "tar" else min(TOTAL_LIMIT, unpacked_limit(path))
    stored = _zip_entries(path, limit) if kind == "zip" else _tar_entries(path, kind, limit)
    with _damage_named(str(path)):
        for entry in stored:
            if not entry.plain:
                raise _RefusedError(
                    f"{path} holds {entry.name!r}, a link or device or a file with holes; only "
                    "plain files are accepted"
                )
            if _LEADS_OUT.search(entry.name):
                raise _RefusedError(f"{path} holds {entry.name!r}, which leads out of the archive")
            yield entry


@contextmanager
def _damage_named(where: str) -> Iterator[None]:
    try:
        yield
    except _RefusedError:
        raise
    except Exception as error:  # the libraries fail in any way at damaged bytes
        raise ValueError(
            f"{where} cannot be read, it may be damaged or truncated: {printable(error)[:300]}"
        ) from error


class _StrictTarInfo(tarfile.TarInfo):
    """A header that is checked: tarfile takes a damaged one for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            # A block of zeros is how an archive ends; a missing or damaged block is not.
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise
            raise tarfile.ReadError(str(error)) from error
        if info.size < 0:
            raise tarfile.ReadError("an entry of negative size")
        # tarfile loads a header's extension whole, whatever size it declares.
        if info.type in _EXTENSION_TYPES and info.size > _EXTENSION_LIMIT:
            raise tarfile.ReadError(f"a header of {info.size} bytes: too many to be right")
        return info


def _tar_entries(path: Path, kind: str, limit: int) -> Iterator[_Entry]:
    # "r:gz" and not "r|gz", which is half as fast and checks neither lengths nor checksums. Every
    # seek goes forward, as entries are read in their order.
    too_much = f"{path} unpacks to more than {limit} bytes"
    mode: Any = f"r:{kind.partition('.')[2]}"
    with tarfile.open(path, mode, tarinfo=_StrictTarInfo) as archive:
        for info in archive:
            # Where the entry ends; it has not been unpacked yet.
            if archive.offset > limit:
                raise _RefusedError(f"{too_much}: it holds {info.name!r} of {info.size} bytes")
            if info.size < 0 or archive.offset <= info.offset:
                raise tarfile.ReadError(f"{info.name!r} ends before it begins")
            plain = (info.isreg() and not info.issparse()) or info.isdir()
            read = partial(_read_tar, archive, info)
            yield _Entry(info.name, info.size, plain, info.isdir(), read)
        # To the end of the file, where the compressed formats keep their checksum.
        room = limit - archive.offset
        while kind != "tar" and (rest := archive.fileobj.read(_CHUNK)):
            room -= len(rest)
            if room < 0:
                raise _RefusedError(too_much)


def _read_tar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(info)
    assert file is not None, "extractfile gives None for what is no file alone"
    return file.read()


def _zip_entries(path: Path, limit: int) -> Iterator[_Entry]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > limit:
            largest = max(infos, key=lambda info: info.file_size)
            raise _RefusedError(
                f"{path} unpacks to more than {limit} bytes: it holds {largest.filename!r} of "
                f"{largest.file_size} bytes"
            )
        if sum(info.compress_size for info in infos) > path.stat().st_size:
            largest = max(infos, key=lambda info: info.compress_size)
            raise _RefusedError(
                f"{path} holds entries that lie over each other, such as {largest.filename!r}"
            )
        # Old Windows tools separate folders by backslashes, which is against the format.
        windows = not any("/" in info.filename for info in infos)
        for info in infos:
            name = _decoded_name(info)
            name = name.replace("\\", "/") if windows else name
            file_type = stat.S_IFMT(info.external_attr >> 16)
            plain = file_type in (0, stat.S_IFREG, stat.S_IFDIR)
            read = partial(_read_zip, archive, info)
            yield _Entry(name, info.file_size, plain, name.endswith("/"), read)


def _decoded_name(info: zipfile.ZipInfo) -> str:
    """A name in UTF-8 where it is, though many tools do not set the flag that says so."""
    if info.flag_bits & _UTF8_FLAG:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _read_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    # In pieces: asked for all, zipfile unpacks all there is and then looks at the size declared.
    # It stops there and checks the checksum.
    with archive.open(info) as file:
        return b"".join(iter(partial(file.read, _PIECE), b""))
