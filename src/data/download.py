"""Find the files of a known data set, or download them from the first mirror that delivers."""

import hashlib
import http.client
import logging
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from rich.progress import wrap_file

from src.data.registry import DATASETS, DatasetInfo, RemoteFile
from src.files import replacing

_CHUNK = 256 << 10
_AGENT = "cifar-resnet"  # some hosts refuse urllib's own name
_TIMEOUT = 30  # seconds without a byte
_ARCHIVE_ENDINGS = (".gz", ".tgz", ".xz", ".bz2", ".tar", ".zip")

log = logging.getLogger(__name__)


def download(urls: Sequence[str], target: Path, md5: str) -> None:
    """Download a file from the first address that delivers it whole; nothing else is kept.

    The ValueError, if none does, has the reason for each.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    reasons = []
    for url in urls:
        try:
            return _fetch(url, target, md5)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # A plain URLError wraps the cause; its subclass HTTPError is one itself.
            cause = error.reason if type(error) is urllib.error.URLError else error
            reasons.append(f"{url}: {cause}")
            log.info("%s", reasons[-1])
    raise ValueError(f"{target.name}: {'; '.join(reasons)}")


def _fetch(url: str, target: Path, md5: str) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": _AGENT})
    with (
        replacing(target, "wb") as file,
        urllib.request.urlopen(request, timeout=_TIMEOUT) as response,
    ):
        size, digest = int(response.headers.get("Content-Length", 0)), hashlib.md5()
        with wrap_file(response, size, description=target.name) as body:
            while chunk := body.read(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
        if file.tell() < size:
            raise ConnectionError(f"the connection ended after {file.tell()} of {size} bytes")
        if digest.hexdigest() != md5:
            raise ValueError(f"md5 is {digest.hexdigest()}, expected {md5}")


def locate_or_download(
    info: DatasetInfo, root: Path | None, *, allow_download: bool = True
) -> Path:
    """Find the files of a data set, or download them if there are none.

    Nothing is downloaded into a folder that holds other things, nor in place of an archive that
    does not exist: the path is more likely mistyped. The ValueError, if nothing could be
    downloaded either, says how else to get images.
    """
    if root is None:
        raise ValueError(f"data.root is not set: {_ways_out(info, Path('data') / info.name)}")
    root = root.expanduser()
    if root.is_symlink() and not root.exists():
        raise ValueError(f"data.root={root} is a link to nothing: {root.readlink()}")
    if root.is_file() or (
        root.is_dir() and (_is_complete(root, info) or not _may_download_into(root))
    ):
        return root
    if root.exists() and not root.is_dir():
        raise ValueError(f"data.root={root} is neither a file nor a folder but a pipe or a device")
    # data.root may be the archive that is to be downloaded, or the folder for it.
    names_archive = bool(info.files) and root.name == info.files[0].name
    folder = root.parent if names_archive else root
    missing = [file for file in info.files if not _has(folder, file)]
    if 0 < len(missing) < len(info.files):
        reason = f"data.root={folder} lacks {', '.join(file.name for file in missing)}"
    else:
        place = "" if root.is_absolute() else f" (in the current directory, {Path.cwd()})"
        reason = f"there is nothing at data.root={root}{place}"
    is_mistyped = not names_archive and root.name.lower().endswith(_ARCHIVE_ENDINGS)
    if info.files and not is_mistyped:
        if allow_download:
            return _download(info, folder, reason)
        reason += " and downloading is off (data.download=false)"
    raise ValueError(f"{reason}: {_ways_out(info, folder)}")


def _is_complete(folder: Path, info: DatasetInfo) -> bool:
    """Whether a folder holds all files to download, if any, or an archive or folder of the set."""
    downloaded = all(_has(folder, file) for file in info.files)
    return downloaded or any((folder / name).exists() for name in info.accepted)


def _has(folder: Path, file: RemoteFile) -> bool:
    """Whether a folder holds a file as served or, for a ``.gz``, unpacked."""
    return (folder / file.name).exists() or (folder / file.name.removesuffix(".gz")).exists()


def _may_download_into(folder: Path) -> bool:
    """Whether a folder holds only data sets, caches, hidden files and unfinished downloads."""
    known = {name.partition("/")[0] for info in DATASETS.values() for name in info.accepted}
    known |= {file.name for info in DATASETS.values() for file in info.files}
    return all(
        entry.name in known or entry.name.startswith(".") or entry.suffix in (".part", ".cache")
        for entry in folder.iterdir()
    )


def _download(info: DatasetInfo, folder: Path, reason: str) -> Path:
    try:
        for file in info.files:
            if not (folder / file.name).exists():
                log.info("downloading %s to %s", file.name, folder)
                download(file.urls, folder / file.name, file.md5)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{reason} and downloading failed ({error}): {_ways_out(info, folder)}"
        ) from error
    return folder


def _ways_out(info: DatasetInfo, folder: Path) -> str:
    files = ", ".join(file.name for file in info.files)
    put = f"put {files} into {folder}, " if files else ""
    return (
        f"{put}point data.root at a folder or an archive of images in class folders, or use "
        "data=shapes, which needs no files"
    )
