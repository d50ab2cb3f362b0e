"""Images in class folders, in a directory or in an archive."""

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from src.data.decode import Decoded, decode_files
from src.data.image_data import ImageData, ImageSet, check_classes, count_contradictions
from src.data.readers.archive import read_members
from src.data.readers.base import ReadOptions, fingerprint_of
from src.data.readers.folder_layout import PARTS, FolderLayout, parse_folder_layout
from src.data.split import stratified_split
from src.text import first_names, printable

IMAGE_SUFFIXES = (  # what OpenCV 5.0 reads in 8 or 16 bits
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".webp", ".avif", ".gif"),
    *(".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
EXPECTED = (
    "expected are train/<class>/<image> and test/<class>/<image>, or <class>/<image>, with images "
    f"in {', '.join(IMAGE_SUFFIXES)}"
)
_TEST_FRACTION = 0.1  # where there is no folder of test images
_MAX_DEPTH = 64  # folders within each other: more than anybody sorts images into

_HIDDEN = re.compile(r"(^|/)(\.|__MACOSX(/|$))")
_SYSTEM_FOLDERS = {
    *("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),  # of NAS devices
    *("$recycle.bin", "recycler", "system volume information", "lost+found", "thumbnails"),
}


def is_system_folder(name: str) -> bool:
    """Whether a folder's name is one that NAS devices or operating systems make: thumbnails, …"""
    return name.lower() in _SYSTEM_FOLDERS


def is_hidden(name: str) -> bool:
    """Whether a path or a folder above it is hidden, or is macOS's metadata."""
    return _HIDDEN.search(name) is not None


def is_image(name: str) -> bool:
    """Whether a path is a visible image, by its suffix."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not is_hidden(name)


def not_read(names: Iterable[str]) -> str:
    """``not read: 20 .heic, 3 .txt``, the most frequent suffix first; empty for no names."""
    counts = Counter(PurePosixPath(name).suffix.lower() or "without suffix" for name in names)
    listed = ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common())
    return f"not read: {listed}" if listed else ""


class Selection:
    """Which files and folders below a root are read, and notes of the others.

    Left out are what is hidden, what operating systems and NAS devices make, what matches a pattern
    of ``exclude`` (see :meth:`pathlib.PurePath.match`), and files that are no images by suffix.
    """

    def __init__(self, root: Path, exclude: Sequence[str]):
        if not all(exclude):
            raise ValueError("data.exclude: an empty pattern")
        self._root = root
        self._entered: dict[str, bool] = {"": True}
        self._others: list[str] = []
        self._system: set[str] = set()
        self._excluded = Counter[str](dict.fromkeys(exclude, 0))

    def enters(self, folder: str) -> bool:
        """Whether a folder, by its path below the root, and all above it are looked into."""
        if folder not in self._entered:
            if folder.count("/") >= _MAX_DEPTH:
                where = printable(self._root / folder[:200])
                raise ValueError(f"{where}: over {_MAX_DEPTH} folders within each other")
            above, _, name = folder.rpartition("/")
            self._entered[folder] = self.enters(above) and self._is_wanted(folder, name)
        return self._entered[folder]

    def takes(self, file: str) -> bool:
        """Whether a file, by its path below the root, is an image that is wanted."""
        folder = file.rpartition("/")[0]
        if not self.enters(folder) or is_hidden(file) or self._is_excluded(file):
            return False
        if not is_image(file):
            self._others.append(file)
            return False
        return True

    def _is_wanted(self, folder: str, name: str) -> bool:
        if is_system_folder(name):
            self._system.add(name)
            return False
        return not is_hidden(folder) and not self._is_excluded(folder)

    def _is_excluded(self, path: str) -> bool:
        pattern = next((p for p in self._excluded if PurePosixPath(path).match(p)), None)
        if pattern is not None:
            self._excluded[pattern] += 1
        return pattern is not None

    @property
    def folders(self) -> tuple[str, ...]:
        """The paths of the folders that were looked into, sorted."""
        return tuple(sorted(path for path, entered in self._entered.items() if entered and path))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, for the log; hidden files are not worth a word."""
        others = not_read(self._others)
        system = ", ".join(map(printable, sorted(self._system)))
        excluded = ", ".join(f"{printable(p)} ({n:,})" for p, n in self._excluded.items())
        return (
            *([others] if others else []),
            *([f"folders of the system passed over: {system}"] if system else []),
            *([f"excluded: {excluded}"] if excluded else []),
        )


class ImageFolder:
    """A directory of images in class folders, which is listed at once; links are followed."""

    def __init__(self, location: Path, exclude: Sequence[str]):
        self.location = location
        self.selection = Selection(location, exclude)
        # Path below the directory and status of each file
        self.files = sorted(_walk(location, self.selection), key=lambda file: file[0])

    @property
    def description(self) -> str:
        return f"images in {self.location}"

    def fingerprint(self) -> str:
        return fingerprint_of(self.files, str(self.location), self.selection.folders)

    def read(self, options: ReadOptions) -> ImageData:
        where = str(self.location)
        layout = _parse_layout([name for name, _ in self.files], self.selection, where)
        if options.training:  # before an hour of decoding rather than after
            train = [label for part, label in layout.places.values() if part == "train"]
            has_test = any(part == "test" for part, _ in layout.places.values())
            uses = ("training",) if has_test else ("training", "testing")
            check_classes(layout.classes, np.array(train, dtype=np.int64), where, uses)
        used = ((name, self.location / name) for name, _ in self.files if name in layout.places)
        # The selection's notes may change without the images: they are added at every start.
        return _assemble(decode_files(used, options), layout, where, options.seed)


def _walk(
    folder: Path, selection: Selection, prefix: str = "", above: tuple[tuple[int, int], ...] = ()
) -> Iterator[tuple[str, os.stat_result]]:
    """Path, which ``prefix`` begins, and status of each selected file below a folder."""
    identity = folder.stat()
    here = (identity.st_dev, identity.st_ino)
    if here in above:  # a link to a folder it lies in
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            try:
                status = entry.stat()
            except OSError:  # a link to nothing or to itself, which is named when it is to be read
                status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                if selection.enters(path):
                    yield from _walk(Path(entry.path), selection, f"{path}/", (*above, here))
            elif selection.takes(path):
                yield path, status


@dataclass(frozen=True)
class ImageArchive:
    """An archive of images in class folders; ``exclude`` as for :class:`Selection`."""

    location: Path
    exclude: tuple[str, ...]

    @property
    def description(self) -> str:
        return f"images in {self.location}"

    def fingerprint(self) -> str:
        return fingerprint_of([(str(self.location), self.location.stat())], self.exclude)

    def read(self, options: ReadOptions) -> ImageData:
        selection = Selection(self.location, self.exclude)
        decoded = decode_files(self._files(selection), options)
        names, where = [*decoded.names, *decoded.skipped], str(self.location)
        layout = _parse_layout(names, selection, where)
        data = _assemble(decoded, layout, where, options.seed)
        return replace(data, notes=(*data.notes, *selection.notes))

    def _files(self, selection: Selection) -> Iterator[tuple[str, bytes]]:
        """Path and content of each selected file, while the archive is being unpacked."""
        seen: set[str] = set()
        prefix = "./"  # with which some archives begin every name; it hides nothing
        for stored, content in read_members(
            self.location, lambda stored: selection.takes(stored.removeprefix(prefix))
        ):
            name = stored.removeprefix(prefix)
            if content is None:
                selection.enters(name.rstrip("/"))  # which notes a folder without images
                continue
            if name in seen:
                raise ValueError(f"{self.location} holds {printable(name)} twice")
            seen.add(name)
            yield name, content


def _parse_layout(names: Sequence[str], selection: Selection, where: str) -> FolderLayout:
    layout = parse_folder_layout(names, selection.folders, where)
    if not layout.places:
        placed = " in folders of classes" if names else ""
        notes = "".join(f"; {note}" for note in selection.notes)
        raise ValueError(f"{where} holds no images{placed}{notes}; {EXPECTED}")
    return layout


def _assemble(decoded: Decoded, layout: FolderLayout, where: str, seed: int) -> ImageData:
    """Sort decoded images into the parts of a data set."""
    names = decoded.names
    places = [layout.places.get(name, ("", -1)) for name in names]
    labels = np.array([label for _, label in places], dtype=np.int64)
    # By name, not by place in an archive: packing the same files anew changes nothing.
    order = sorted(range(len(names)), key=names.__getitem__)
    train, validation, test = (
        np.array([index for index in order if places[index][0] == part], dtype=np.int64)
        for part in PARTS
    )
    held_out = not len(test)
    if held_out and len(train) and np.unique(labels[train], return_counts=True)[1].min() > 1:
        kept, chosen = stratified_split(labels[train], _TEST_FRACTION, seed)
        train, test = train[kept], train[chosen]

    def picked(indices: np.ndarray) -> ImageSet:
        return ImageSet(decoded.images[indices], labels[indices], [names[i] for i in indices])

    skipped = []
    if count := len(decoded.skipped):
        examples = first_names(sorted(decoded.skipped))
        skipped = [f"{count} unreadable image{'s' if count > 1 else ''} skipped: {examples}"]
    return ImageData(
        picked(train),
        picked(test),
        layout.classes,
        f"images in {where}",
        validation=picked(validation) if len(validation) else None,
        test_held_out=held_out,
        warnings=tuple(_warnings(decoded, labels, where, [*layout.notes[1:], *skipped])),
        notes=(*layout.notes, *skipped),
    )


def _warnings(decoded: Decoded, labels: np.ndarray, where: str, notes: list[str]) -> list[str]:
    warnings = [f"{where}: {note}" for note in notes]
    if twice := count_contradictions(decoded.images, labels):
        warnings.append(f"{where}: {twice} images lie in two or more classes, pixel for pixel")
    if decoded.peak is not None and decoded.peak < 2**15:
        warnings.append(
            f"{where}: no sample of the 16-bit images is above {decoded.peak} of 65535, so that "
            f"none is above {round(decoded.peak / 257)} of 255 in 8 bits; scale the files to the "
            "whole range"
        )
    return warnings
