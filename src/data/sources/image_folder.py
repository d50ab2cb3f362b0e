"""Images in class folders, in a directory or in an archive."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.decode_pool import Decoded, decode_files
from src.data.duplicates import count_contradictions
from src.data.formats import not_read
from src.data.sources.archive import read_members
from src.data.sources.base import ReadOptions, fingerprint_of
from src.data.sources.layout import Layout, arrange, is_hidden, is_image
from src.data.split import stratified_split
from src.data.types import ImageData, ImageSet
from src.names import printable

__all__ = ["ImageArchive", "ImageFolder"]

_TEST_FRACTION = 0.1  # where there is no folder of test images
_NAMED = 3  # examples of skipped files
DEPTH = 64
"""Folders within each other that are followed: more than anybody sorts images into."""

_log = logging.getLogger(__name__)


def _pick(decoded: Decoded, labels: NDArray[np.int64], indices: NDArray[np.int64]) -> ImageSet:
    names = [decoded.names[index] for index in indices]
    return ImageSet(decoded.images[indices], labels[indices], names)


def _assemble(
    decoded: Decoded, folders: list[str], where: str, options: ReadOptions, others: Sequence[str]
) -> ImageData:
    """Sort decoded images into training and test set; alike for folders and archives."""
    layout = arrange([*decoded.names, *decoded.skipped], folders, where)
    count = len(decoded.names)
    labels = np.array(layout.label[:count], dtype=np.int64)
    in_test = np.array(layout.in_test[:count], dtype=bool)
    # By name, not by place in an archive: packing the same files anew changes nothing.
    order = np.array(sorted(range(count), key=decoded.names.__getitem__), dtype=np.int64)
    train = order[(labels[order] >= 0) & ~in_test[order]]
    test = order[in_test[order]]
    gone = set(range(len(layout.classes))) - set(labels[train].tolist())
    if gone:
        name = printable(layout.classes[min(gone)])
        raise ValueError(f"{where}: class {name} has no training image that can be decoded")
    if not layout.has_test:
        kept, held_out = stratified_split(labels[train], _TEST_FRACTION, options.seed)
        train, test = train[kept], train[held_out]
    if decoded.skipped:
        _log.warning("%s%s", where, _skipped(decoded.skipped))
    if twice := count_contradictions(decoded.images, labels):
        _log.warning("%s: %d images lie in two or more classes, pixel for pixel", where, twice)
    left_out = f"; {not_read(others)}" if others else ""
    return ImageData(
        _pick(decoded, labels, train),
        _pick(decoded, labels, test),
        layout.classes,
        f"images in {where} ({layout.note}{_skipped(decoded.skipped)}{left_out})",
    )


def _skipped(names: list[str]) -> str:
    if not names:
        return ""
    examples = ", ".join(map(printable, sorted(names)[:_NAMED])) + (
        ", ..." if len(names) > _NAMED else ""
    )
    plural = "s" if len(names) > 1 else ""
    return f"; {len(names)} unreadable image{plural} skipped: {examples}"


def _decode(files: Iterator[tuple[str, bytes | Path]], options: ReadOptions) -> Decoded:
    return decode_files(files, channels=options.channels, size=options.size, skip=options.skip_bad)


@dataclass(frozen=True)
class ImageArchive:
    """An archive of images in class folders."""

    location: Path

    @property
    def description(self) -> str:
        """What it was recognised as, and where."""
        return f"images in {self.location}"

    def fingerprint(self) -> str:
        """Changes with what the images depend on."""
        return fingerprint_of([(str(self.location), self.location.stat())])

    def read(self, options: ReadOptions) -> ImageData:
        """Decode every image while the archive is being unpacked.

        Raises:
            ValueError: the archive or an image is damaged, images differ in size, or the folders
                are not those of classes (:func:`src.data.sources.layout.arrange`).
        """
        folders: list[str] = []
        others: list[str] = []
        decoded = _decode(self._files(folders, others), options)
        return _assemble(decoded, folders, str(self.location), options, others)

    def _files(self, folders: list[str], others: list[str]) -> Iterator[tuple[str, bytes]]:
        def wanted(stored: str) -> bool:
            name = _plain(stored)
            if not is_image(name) and not is_hidden(name):
                others.append(name)
            return is_image(name)

        seen: set[str] = set()
        for stored, content in read_members(self.location, wanted):
            name = _plain(stored)
            if content is None:
                folders.append(name.rstrip("/"))
                continue
            if name in seen:
                raise ValueError(f"{self.location} holds {printable(name)} twice")
            seen.add(name)
            yield name, content


def _plain(name: str) -> str:
    """Without the ``./`` that some archives begin every name with; it hides nothing."""
    return name.removeprefix("./")


@dataclass(frozen=True)
class ImageFolder:
    """A directory of images in class folders.

    Attributes:
        location: the directory.
        files: path below it and status of each image, sorted by path.
        folders: the paths of the folders below it.
        others: the paths of the visible files that are no images by their suffix.
    """

    location: Path
    files: tuple[tuple[str, os.stat_result], ...]
    folders: tuple[str, ...]
    others: tuple[str, ...] = ()

    @classmethod
    def scan(cls, root: Path) -> "ImageFolder":
        """List the images below a directory; links to folders are followed."""
        files: list[tuple[str, os.stat_result]] = []
        folders: list[str] = []
        others: list[str] = []
        _walk(root, "", (), files, folders, others)
        files.sort(key=lambda file: file[0])
        return cls(root, tuple(files), tuple(sorted(folders)), tuple(others))

    @property
    def description(self) -> str:
        """What it was recognised as, and where."""
        return f"images in {self.location}"

    def fingerprint(self) -> str:
        """Changes with what the images depend on."""
        return fingerprint_of(self.files, str(self.location), self.folders)

    def layout(self) -> Layout:
        """How the folders are understood. Raises ValueError, see :func:`arrange`."""
        return arrange([name for name, _ in self.files], self.folders, str(self.location))

    def read(self, options: ReadOptions) -> ImageData:
        """Decode every image.

        Raises:
            ValueError: an image is damaged, images differ in size, or the folders are not those
                of classes (:func:`src.data.sources.layout.arrange`).
        """
        layout = self.layout()  # before an hour of decoding rather than after
        used = [
            name for (name, _), label in zip(self.files, layout.label, strict=True) if label >= 0
        ]
        decoded = _decode(((name, self.location / name) for name in used), options)
        return _assemble(decoded, list(self.folders), str(self.location), options, self.others)


def _walk(
    folder: Path,
    prefix: str,
    above: tuple[tuple[int, int], ...],
    files: list[tuple[str, os.stat_result]],
    folders: list[str],
    others: list[str],
) -> None:
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:  # a link to a folder it lies in
        return
    if len(above) > DEPTH:
        raise ValueError(f"{printable(folder)}: over {DEPTH} folders within each other")
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if is_hidden(entry.name):
                continue
            if entry.is_dir():
                folders.append(name)
                _walk(Path(entry.path), f"{name}/", (*above, here), files, folders, others)
            elif is_image(entry.name):
                files.append((name, _status(entry)))
            else:
                others.append(name)


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat()
    except OSError:  # a link to nothing, which is named when it is to be read
        return entry.stat(follow_symlinks=False)
