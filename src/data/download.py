"""Find the files of a known data set, or download them from the first mirror that delivers."""

import hashlib
import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from src.data.readers.folder_layout import seen_from_here
from src.data.registry import DatasetInfo, RemoteFile, get_dataset, list_datasets

_CHUNK = 256 << 10
_AGENT = "cifar-resnet"  # some hosts refuse urllib's own name
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers that may be different in a moment
_FIRST_WAIT = 1.0  # seconds; doubles from one attempt to the next

_log = logging.getLogger(__name__)


class DownloadError(ValueError):
    """No address delivered the file; the message has the reason for each."""


class _HopelessError(Exception):
    """This address will not deliver it however often it is asked."""


def download(
    urls: Sequence[str],
    target: Path,
    *,
    md5: str | None = None,
    sha256: str | None = None,
    retries: int = 3,
    timeout: float = 30,
    progress: bool = True,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Download a file, continuing an earlier attempt.

    The bytes go to ``<target>.part``. The file gets its name when its checksums are right; a file
    with wrong ones is deleted.

    Args:
        urls: addresses of the same file, tried in this order.
        target: the file to make, in a folder that is made if need be.
        md5, sha256: hexadecimal checksums the file must have; None: not checked.
        retries: how often each address is asked.
        timeout: seconds without an answer or a byte after which an attempt has failed.
        progress: whether to show a bar on the terminal.
        sleep: waits between the attempts at an address, 1, 2, 4, ... seconds.

    Returns:
        The target.

    Raises:
        DownloadError: no address delivered the file.
        OSError: the file cannot be written.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    expected = {"md5": md5, "sha256": sha256}
    checksums = {kind: value.lower() for kind, value in expected.items() if value}
    reasons = []
    for url in urls:
        reason = _try(url, part, checksums, retries, timeout, progress, sleep)
        if reason is None:
            part.replace(target)
            return target
        _log.info("%s: %s", url, reason)
        reasons.append(f"{url}: {reason}")
    raise DownloadError(f"{target.name} could not be downloaded ({'; '.join(reasons)})")


def _try(
    url: str,
    part: Path,
    checksums: dict[str, str],
    retries: int,
    timeout: float,
    progress: bool,
    sleep: Callable[[float], None],
) -> str | None:
    """Ask one address until the part is whole and right; the reason if it never is."""
    reason = "not tried"
    for attempt in range(retries):
        if attempt:
            sleep(_FIRST_WAIT * 2 ** (attempt - 1))
        resumed = _size(part) > 0
        try:
            _fetch(url, part, timeout, progress)
        except _HopelessError as error:
            return str(error)
        except (
            urllib.error.URLError,
            http.client.HTTPException,
            ConnectionError,
            TimeoutError,
        ) as error:
            reason = _line(error)
            continue
        wrong = _mismatch(part, checksums)
        if wrong is None:
            return None
        part.unlink()
        reason = wrong
        if not resumed:  # else the earlier bytes may have been at fault
            return reason
    return reason


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _line(error: BaseException) -> str:
    cause = getattr(error, "reason", None) or error
    return " ".join(str(cause).split()) or type(cause).__name__


def _mismatch(part: Path, checksums: dict[str, str]) -> str | None:
    for kind, expected in checksums.items():
        with part.open("rb") as file:
            found = hashlib.file_digest(file, kind).hexdigest()
        if found != expected:
            return f"{kind} is {found}, expected {expected}"
    return None


def _fetch(url: str, part: Path, timeout: float, progress: bool) -> None:
    """Add what is missing to the part. Raises an error of urllib if the connection fails."""
    have = _size(part)
    headers = {"User-Agent": _AGENT} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=timeout) as response:
            _receive(response, part, have, progress)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            if error.headers.get("Content-Range", "").rpartition("/")[2] == str(have):
                return  # there is nothing after what we have: it is whole
            part.unlink()
            raise ConnectionError("what was downloaded earlier does not fit the file") from error
        if error.code in _PASSING:
            raise ConnectionError(f"HTTP {error.code} {error.reason}") from error
        raise _HopelessError(f"HTTP {error.code} {error.reason}") from error
    except ValueError as error:  # not a URL
        raise _HopelessError(_line(error)) from error


def _receive(response: Any, part: Path, have: int, progress: bool) -> None:
    """Write the body of an answer behind what is there, or from the start if it begins there."""
    continued = response.status == 206
    if continued and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        part.unlink()
        raise ConnectionError(f"answered another range: {response.headers.get('Content-Range')}")
    start = have if continued else 0
    length = response.headers.get("Content-Length")
    total = start + int(length) if length else None
    with part.open("ab" if continued else "wb") as file, _bar(progress) as bar:
        task = bar.add_task(part.name.removesuffix(".part"), total=total, completed=start)
        received = start + _copy(response, file, bar, task)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and received < total:
        raise ConnectionError(f"the connection ended after {received} of {total} bytes")


def _copy(response: Any, file: Any, bar: Progress, task: TaskID) -> int:
    count = 0
    while chunk := _chunk(response):
        file.write(chunk)
        count += len(chunk)
        bar.update(task, advance=len(chunk))
    return count


def _chunk(response: Any) -> bytes:
    try:
        return bytes(response.read(_CHUNK))
    except (OSError, http.client.HTTPException) as error:
        # Whatever breaks here is the connection's doing; an OSError of writing is not.
        raise ConnectionError(_line(error)) from error


def _bar(show: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        disable=not show,
    )


_ARCHIVE_ENDINGS = (".gz", ".tgz", ".xz", ".bz2", ".tar", ".zip")


def _ways_out(info: DatasetInfo, folder: Path) -> str:
    files = ", ".join(file.name for file in info.files)
    put = f"put {files} into {folder}, " if files else ""
    return (
        f"{put}point data.root at a folder or an archive of images in class folders, or use "
        "data=shapes, which needs no files"
    )


def _is_there(folder: Path, info: DatasetInfo) -> bool:
    return any((folder / name).exists() for name in info.accepted) or all(
        _has(folder, file) for file in info.files
    )


def _has(folder: Path, file: RemoteFile) -> bool:
    return (folder / file.name).exists() or (folder / file.name.removesuffix(".gz")).exists()


def _is_free(folder: Path) -> bool:
    """Whether a folder holds nothing besides known data sets, their caches and hidden files."""
    infos = [get_dataset(name) for name in list_datasets()]
    known = {name.partition("/")[0] for info in infos for name in info.accepted}
    known |= {file.name for info in infos for file in info.files}
    return all(
        entry.name in known or entry.name.startswith(".") or entry.suffix in (".part", ".cache")
        for entry in folder.iterdir()
    )


def locate_or_download(
    info: DatasetInfo, root: Path | None, *, allow_download: bool = True
) -> Path:
    """Where the files of a data set are; they are downloaded if there are none.

    Nothing is downloaded into a folder that holds other things, nor in place of a file that does
    not exist: the path is more likely mistyped.

    Returns:
        A path that exists.

    Raises:
        ValueError: there is nothing at ``root`` and nothing could be downloaded; the message says
            how else to come by images.
    """
    if root is None:
        raise ValueError(f"data.root is not set: {_ways_out(info, Path('data') / info.name)}")
    root = Path(root).expanduser()
    _check_kind(root)
    folder = root.parent if info.files and root.name == info.files[0].name else root
    mistyped = folder == root and root.name.lower().endswith(_ARCHIVE_ENDINGS)
    if root.is_file() or (root.is_dir() and (_is_there(root, info) or not _is_free(root))):
        return root
    reason = _lacking(folder, info) or f"there is nothing at data.root={root}{seen_from_here(root)}"
    if info.files and not mistyped:
        if allow_download:
            return _download(info, folder, reason)
        reason += " and downloading is off (data.download=false)"
    raise ValueError(f"{reason}: {_ways_out(info, folder)}")


def _lacking(folder: Path, info: DatasetInfo) -> str | None:
    """What is missing where some of the files are there."""
    missing = [file.name for file in info.files if not _has(folder, file)]
    if not missing or len(missing) == len(info.files):
        return None
    return f"data.root={folder} lacks {', '.join(missing)}"


def _check_kind(root: Path) -> None:
    if root.is_symlink() and not root.exists():
        raise ValueError(f"data.root={root} is a link to nothing: {root.readlink()}")
    if root.exists() and not root.is_file() and not root.is_dir():
        raise ValueError(f"data.root={root} is neither a file nor a folder but a pipe or a device")


def _download(info: DatasetInfo, folder: Path, reason: str) -> Path:
    try:
        for file in info.files:
            if not (folder / file.name).exists():
                _log.info("downloading %s to %s", file.name, folder)
                download(file.urls, folder / file.name, md5=file.md5)
    except DownloadError as error:
        raise ValueError(f"{reason} and {error}: {_ways_out(info, folder)}") from error
    except OSError as error:
        raise ValueError(
            f"{reason} and downloading there failed ({error}): {_ways_out(info, folder)}"
        ) from error
    return folder
