"""Decoded images kept as memory-mapped files, so that a second start takes milliseconds.

An entry is a folder of ``.npy`` files and a ``manifest.json``, which is written last. Files are
replaced atomically: of two processes that build one entry, the later writes the same bytes again.
"""

import hashlib
import json
import logging
import os
import stat
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from src.data.image_data import ImageData, ImageSet
from src.files import replacing, write_json

FORMAT = 4  # entries of another format are not found
_MANIFEST = "manifest.json"
# Fields of `ImageData`
_PARTS = ("train", "validation", "test")
_FACTS = ("source", "classes", "test_held_out", "warnings", "notes")
_FOLDER = "cifar-images"  # in the user's cache directory
_BLOCK, _BLOCKS = 16 << 10, 64  # bytes and number of the blocks that a checksum is made of

log = logging.getLogger(__name__)


def cache_places(location: Path | None, cache_dir: Path | None) -> list[Path]:
    """Folders for the entries of a source, the preferred one first.

    ``cache_dir`` alone if it is given, else beside the source and then in the user's cache
    directory. A folder that is read-only by its mode bits is passed over; they would not stop root.
    """
    if cache_dir is not None:
        return [cache_dir]
    places = []
    if location is not None:
        location = location.resolve()
        beside = location.with_name(f"{location.name}.cache")
        places = [location / ".cache" if location.is_dir() else beside]
    # A relative path there is to be ignored (XDG Base Directory Specification).
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    places.append((home if home.is_absolute() else Path("~/.cache").expanduser()) / _FOLDER)
    return [place for place in places if not _is_read_only(place)]


def _is_read_only(place: Path) -> bool:
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    return existing.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) == 0


def cached(
    identity: Mapping[str, Any],
    places: list[Path],
    build: Callable[[], ImageData],
    *,
    required: bool = False,
) -> ImageData:
    """Load an entry, or build the data and keep it for the next time.

    Args:
        identity: everything the images depend on; JSON values.
        places: folders to look in and, in this order, to try to write to.
        required: raise ValueError if the entry cannot be written.
    """
    digest = hashlib.sha256(json.dumps({**identity, "format": FORMAT}, sort_keys=True).encode())
    entries = [place / digest.hexdigest()[:20] for place in places]
    for entry in entries:
        if (data := _load(entry)) is not None:
            log.info("decoded images loaded from %s", entry)
            return data
    data = build()
    for entry in entries:
        try:
            _store(data, entry)
        except OSError as error:
            if required:
                raise ValueError(
                    f"data.cache_dir={entry.parent} cannot be written: {error}"
                ) from error
            log.info("no cache of decoded images at %s: %s", entry.parent, error)
            continue
        if (stored := _load(entry)) is not None:
            log.info("decoded images kept in %s", entry)
            return stored
    log.warning("the decoded images could not be kept; the next start decodes them again")
    return data


def _load(entry: Path) -> ImageData | None:
    """The entry, or None if there is none or, with a warning, it is damaged."""
    if not (entry / _MANIFEST).exists():
        return None
    try:
        manifest = json.loads((entry / _MANIFEST).read_text())
        arrays = {}
        for name, expected in manifest["arrays"].items():
            path = entry / f"{name}.npy"
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size != expected["size"] or _checksum(file, size) != expected["crc32"]:
                    raise ValueError(f"{path.name} is not what was written")
            arrays[name] = np.load(path, mmap_mode="r")
        fields: dict[str, Any] = {name: manifest[name] for name in _FACTS}
        # JSON has no tuples.
        fields |= {name: tuple(value) for name, value in fields.items() if type(value) is list}
        fields |= {part: _image_set(arrays, part) for part in _PARTS if f"{part}_images" in arrays}
        return ImageData(**fields)
    # AssertionError: by the checks of ImageSet.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        log.warning("the decoded images in %s are damaged and made anew: %s", entry, error)
        return None


def _image_set(arrays: Mapping[str, NDArray[Any]], part: str) -> ImageSet:
    labels = np.array(arrays[f"{part}_labels"])
    joined = arrays[f"{part}_names"].tobytes().decode(errors="surrogateescape")
    names = joined.split("\0") if len(labels) else []  # "".split("\0") is [""]
    return ImageSet(arrays[f"{part}_images"], labels, names)


def _store(data: ImageData, entry: Path) -> None:
    arrays: dict[str, NDArray[Any]] = {}
    for part in _PARTS:
        if (images := getattr(data, part)) is not None:
            # No file name and no archive member contains a zero byte.
            names = "\0".join(images.names).encode(errors="surrogateescape")
            arrays[f"{part}_images"] = images.images
            arrays[f"{part}_labels"] = images.labels
            arrays[f"{part}_names"] = np.frombuffer(names, np.uint8)
    entry.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, array in arrays.items():
        with replacing(entry / f"{name}.npy", "w+b") as file:
            np.save(file, array)
            size = file.tell()
            written[name] = {"size": size, "crc32": _checksum(file, size)}
    facts = {name: getattr(data, name) for name in _FACTS}
    write_json(entry / _MANIFEST, {**facts, "arrays": written})


def _checksum(file: IO[bytes], size: int) -> int:
    """CRC-32 of evenly spaced blocks, at most 1 MiB, so that a check takes milliseconds."""
    last = max(0, size - _BLOCK)
    checksum = 0
    for place in sorted({last * block // (_BLOCKS - 1) for block in range(_BLOCKS)}):
        file.seek(place)
        checksum = zlib.crc32(file.read(_BLOCK), checksum)
    return checksum
