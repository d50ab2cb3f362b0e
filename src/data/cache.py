"""Decoded images kept as memory-mapped files, so that a second start takes milliseconds.

An entry is a folder of ``.npy`` files and a ``manifest.json``, which is written last: without it
there is no entry. Each file is written under a temporary name of its own and then renamed, so a
reader never sees half of one, and of two processes that build the same entry the later one
replaces equal bytes by equal bytes.
"""

import hashlib
import json
import logging
import os
import stat
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from src.data.types import Duplicates, ImageData, ImageSet
from src.files import replacing, write_json

FORMAT = 3  # a change of what is stored makes every older entry stale
_MANIFEST = "manifest.json"
_FOLDER = "cifar-images"  # below the user's cache directory
_BLOCK, _BLOCKS = 16 << 10, 64

_log = logging.getLogger(__name__)


def cache_places(location: Path | None, cache_dir: Path | None) -> list[Path]:
    """Folders for the entries of a source, the preferred one first.

    ``cache_dir`` alone, where it is given; otherwise beside the source, and after that in the
    user's cache directory. A folder whose mode gives nobody the right to write is passed over:
    its owner means it to stay as it is, even where root could write to it.
    """
    if cache_dir is not None:
        return [Path(cache_dir)]
    places = []
    if location is not None:
        location = location.resolve()
        inside = location.is_dir()
        places = [location / ".cache" if inside else location.with_name(f"{location.name}.cache")]
    home = os.environ.get("XDG_CACHE_HOME", "")
    # A relative path there is to be ignored (XDG Base Directory Specification).
    places.append(
        (Path(home) if Path(home).is_absolute() else Path("~/.cache").expanduser()) / _FOLDER
    )
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
    """Load an entry, or build it and keep it for the next time.

    A found entry is checked: the size of every file, and checksums of evenly spaced samples of
    it, its first and last bytes among them (1 MiB a file at most, so that the check takes
    milliseconds). What fails is built anew.

    Args:
        identity: everything the images depend on; JSON values.
        places: folders to look in and, in this order, to try to write to.
        build: makes the data where there is no sound entry.
        required: whether failing to write is an error (the user chose the folder).

    Raises:
        ValueError: ``required`` and the entry cannot be written.
    """
    digest = hashlib.sha256(json.dumps({**identity, "format": FORMAT}, sort_keys=True).encode())
    name = digest.hexdigest()[:20]
    for place in places:
        data = _load_if_sound(place / name)
        if data is not None:
            _log.info("decoded images loaded from %s", place / name)
            return data
    data = build()
    for place in places:
        try:
            _store(data, place / name)
            stored = _load_if_sound(place / name)
        except OSError as error:
            if required:
                raise ValueError(f"data.cache_dir={place} cannot be written: {error}") from error
            _log.info("no cache of decoded images at %s: %s", place, error)
        else:
            if stored is not None:
                _log.info("decoded images kept in %s", place / name)
                return stored
    _log.warning("the decoded images could not be kept; the next start decodes them again")
    return data


def _arrays(data: ImageData) -> dict[str, NDArray[Any]]:
    result: dict[str, NDArray[Any]] = {}
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    for part, images in parts.items():
        if images is None:
            continue
        # No file name and no archive member contains a zero byte.
        names = "\0".join(images.names).encode(errors="surrogateescape")
        result[f"{part}_images"] = images.images
        result[f"{part}_labels"] = images.labels
        result[f"{part}_names"] = np.frombuffer(names, np.uint8)
    return result


def _image_set(arrays: Mapping[str, NDArray[Any]], part: str) -> ImageSet:
    joined = arrays[f"{part}_names"].tobytes().decode(errors="surrogateescape")
    labels = np.array(arrays[f"{part}_labels"])
    return ImageSet(arrays[f"{part}_images"], labels, joined.split("\0") if len(labels) else [])


def _checksum(file: IO[bytes], size: int) -> int:
    """CRC-32 of evenly spaced blocks, the first and the last included."""
    last = max(0, size - _BLOCK)
    checksum = 0
    for at in sorted({last * block // (_BLOCKS - 1) for block in range(_BLOCKS)}):
        file.seek(at)
        checksum = zlib.crc32(file.read(_BLOCK), checksum)
    return checksum


def _load_if_sound(entry: Path) -> ImageData | None:
    """The entry, or None where there is none or, with a line in the log, it is damaged."""
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
            array = np.load(path, mmap_mode="r")
            if [list(array.shape), str(array.dtype)] != [expected["shape"], expected["dtype"]]:
                raise ValueError(f"{path.name} is {array.dtype} {array.shape}")
            arrays[name] = array
        found = manifest["duplicates"]
        return ImageData(
            _image_set(arrays, "train"),
            _image_set(arrays, "test"),
            tuple(manifest["classes"]),
            manifest["source"],
            _image_set(arrays, "validation") if "validation_images" in arrays else None,
            manifest["test_held_out"],
            None if found is None else Duplicates(**found),
            tuple(manifest["warnings"]),
            tuple(manifest["notes"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        _log.warning("the decoded images in %s are damaged and made anew: %s", entry, error)
        return None


def _store(data: ImageData, entry: Path) -> None:
    entry.mkdir(parents=True, exist_ok=True)
    described = {}
    for name, array in _arrays(data).items():
        with replacing(entry / f"{name}.npy", "w+b") as file:
            np.save(file, array)
            size = file.tell()
            described[name] = {
                "shape": list(array.shape),
                "dtype": str(array.dtype),
                "size": size,
                "crc32": _checksum(file, size),
            }
    manifest = {
        "source": data.source,
        "classes": data.classes,
        "test_held_out": data.test_held_out,
        "duplicates": data.duplicates and asdict(data.duplicates),
        "warnings": data.warnings,
        "notes": data.notes,
        "arrays": described,
    }
    write_json(entry / _MANIFEST, manifest)
