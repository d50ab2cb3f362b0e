"""Images in class folders, in a directory or in an archive."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.data.decode_many import Decoded, decode_files
from src.data.readers.archive import read_members
from src.data.readers.base import ReadOptions, fingerprint_of
from src.data.readers.file_selection import Selection
from src.data.readers.folder_layout import EXPECTED, FolderLayout, parse_folder_layout
from src.data.split import stratified_split
from src.data.types import ImageData, ImageSet
from src.data.validate import check_classes, count_contradictions
from src.text import printable

_TEST_FRACTION = 0.1  # where there is no folder of test images
_NAMED = 3  # examples of skipped files
DEPTH = 64
"""Folders within each other that are followed: more than anybody sorts images into."""


def _assemble(
    decoded: Decoded,
    layout: FolderLayout,
    names: list[str],
    where: str,
    options: ReadOptions,
    left_out: Sequence[str],
) -> ImageData:
    """Sort decoded images into the parts of a data set; alike for folders and archives.

    Args:
        decoded: the images.
        layout: of ``names``.
        names: of the images, the skipped ones and those that take no part.
        where: the root, for messages.
        options: how the images are read.
        left_out: notes of what is not among ``names``.
    """
    index = {name: number for number, name in enumerate(names)}
    places = [index[name] for name in decoded.names]
    count = len(places)
    labels = np.array([layout.labels[place] for place in places], dtype=np.int64)
    # By name, not by place in an archive: packing the same files anew changes nothing.
    order = np.array(sorted(range(count), key=decoded.names.__getitem__), dtype=np.int64)
    parts = np.array([layout.parts[place] for place in places], dtype=object)[order]
    train, validation, test = (order[parts == part] for part in ("train", "validation", "test"))
    held_out = not len(test)
    if held_out and len(train) and np.unique(labels[train], return_counts=True)[1].min() > 1:
        kept, chosen = stratified_split(labels[train], _TEST_FRACTION, options.seed)
        train, test = train[kept], train[chosen]

    def picked(indices: np.ndarray) -> ImageSet:
        names = [decoded.names[index] for index in indices]
        return ImageSet(decoded.images[indices], labels[indices], names)

    skipped = _skipped(decoded.skipped)
    return ImageData(
        picked(train),
        picked(test),
        layout.classes,
        f"images in {where}",
        validation=picked(validation) if len(validation) else None,
        test_held_out=held_out,
        warnings=_warnings(decoded, labels, where, [*layout.notes[1:], *skipped]),
        notes=(*layout.notes, *skipped, *left_out),
    )


def _skipped(names: list[str]) -> list[str]:
    if not names:
        return []
    examples = ", ".join(map(printable, sorted(names)[:_NAMED]))
    more = ", ..." if len(names) > _NAMED else ""
    plural = "s" if len(names) > 1 else ""
    return [f"{len(names)} unreadable image{plural} skipped: {examples}{more}"]


def _warnings(
    decoded: Decoded, labels: np.ndarray, where: str, notes: list[str]
) -> tuple[str, ...]:
    warnings = [f"{where}: {note}" for note in notes]
    if twice := count_contradictions(decoded.images, labels):
        warnings.append(f"{where}: {twice} images lie in two or more classes, pixel for pixel")
    if decoded.peak is not None and decoded.peak < 2**15:
        warnings.append(
            f"{where}: no sample of the 16-bit images is above {decoded.peak} of 65535, so that "
            f"none is above {round(decoded.peak / 257)} of 255 in 8 bits; scale the files to the "
            "whole range"
        )
    return tuple(warnings)


def _decode(files: Iterator[tuple[str, bytes | Path]], options: ReadOptions) -> Decoded:
    return decode_files(files, channels=options.channels, size=options.size, skip=options.skip_bad)


@dataclass(frozen=True)
class ImageArchive:
    """An archive of images in class folders.

    Attributes:
        location: the file.
        exclude: patterns of what is left out, see :class:`Selection`.
    """

    location: Path
    exclude: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """What it was recognised as, and where."""
        return f"images in {self.location}"

    def fingerprint(self) -> str:
        """Changes with what the images depend on."""
        return fingerprint_of([(str(self.location), self.location.stat())], self.exclude)

    def read(self, options: ReadOptions) -> ImageData:
        """Decode every image while the archive is being unpacked.

        Raises:
            ValueError: the archive or an image is damaged, images differ in size, or the folders
                are not understood (:func:`src.data.readers.folder_layout.parse_folder_layout`).
        """
        folders: list[str] = []
        selection = Selection(self.exclude)
        decoded = _decode(self._files(folders, selection), options)
        names, where = [*decoded.names, *decoded.skipped], str(self.location)
        if not names:
            left_out = "".join(f"; {note}" for note in selection.notes)
            raise ValueError(f"{where} holds no images{left_out}; {EXPECTED}")
        layout = parse_folder_layout(names, folders, where)
        return _assemble(decoded, layout, names, where, options, selection.notes)

    def _files(self, folders: list[str], selection: Selection) -> Iterator[tuple[str, bytes]]:
        def wanted(stored: str) -> bool:
            return selection.reaches(_plain(stored)) and selection.takes(_plain(stored))

        seen: set[str] = set()
        for stored, content in read_members(self.location, wanted):
            name = _plain(stored)
            if content is None:
                folder = name.rstrip("/")
                if folder and selection.reaches(f"{folder}/"):
                    folders.append(folder)
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
        left_out: notes of what is not taken.
    """

    location: Path
    files: tuple[tuple[str, os.stat_result], ...]
    folders: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @classmethod
    def scan(cls, root: Path, exclude: tuple[str, ...] = ()) -> "ImageFolder":
        """List the images below a directory; links to folders are followed.

        Args:
            root: the directory.
            exclude: patterns of what is left out, see :class:`Selection`.
        """
        files: list[tuple[str, os.stat_result]] = []
        folders: list[str] = []
        selection = Selection(exclude)
        _walk(root, "", (), files, folders, selection)
        files.sort(key=lambda file: file[0])
        return cls(root, tuple(files), tuple(sorted(folders)), tuple(selection.notes))

    @property
    def description(self) -> str:
        """What it was recognised as, and where."""
        return f"images in {self.location}"

    def fingerprint(self) -> str:
        """Changes with what the images depend on."""
        return fingerprint_of(self.files, str(self.location), self.folders)

    def read(self, options: ReadOptions) -> ImageData:
        """Decode every image.

        Raises:
            ValueError: an image is damaged, images differ in size, or the folders are not
                understood (:func:`src.data.readers.folder_layout.parse_folder_layout`).
        """
        where = str(self.location)
        names = [name for name, _ in self.files]
        layout = parse_folder_layout(names, self.folders, where)
        if options.training:  # before an hour of decoding rather than after
            pairs = zip(layout.labels, layout.parts, strict=True)
            labels = np.array([label for label, part in pairs if part == "train"], dtype=np.int64)
            check_classes(layout.classes, labels, "test" not in layout.parts, where)
        used = [name for name, label in zip(names, layout.labels, strict=True) if label >= 0]
        decoded = _decode(((name, self.location / name) for name in used), options)
        # What is left out may change without the images: it is added at every start.
        return _assemble(decoded, layout, names, where, options, ())


def _walk(
    folder: Path,
    prefix: str,
    above: tuple[tuple[int, int], ...],
    files: list[tuple[str, os.stat_result]],
    folders: list[str],
    selection: Selection,
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
            if not _is_folder(entry):
                if selection.takes(name):
                    files.append((name, _status(entry)))
            elif selection.enters(name):
                folders.append(name)
                _walk(Path(entry.path), f"{name}/", (*above, here), files, folders, selection)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat()
    except OSError:  # a link to nothing, which is named when it is to be read
        return entry.stat(follow_symlinks=False)
