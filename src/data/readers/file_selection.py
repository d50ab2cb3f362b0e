"""Which files and folders are read as images, with notes of the others."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from src.text import printable

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".webp", ".avif", ".gif"),
    *(".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
"""What is taken from folders, archives and patterns: what OpenCV 5.0 reads in 8 or 16 bits."""

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
    """Decides over the paths of one source.

    Hidden files and folders, folders that operating systems and NAS devices make, and what matches
    an excluded pattern are left out; so is a file that is no image by its suffix.

    Args:
        exclude: patterns for files and folders, as ``pathlib``'s ``match`` understands them: one
            without a slash is for a name anywhere, one with slashes for the end of a path.
    """

    def __init__(self, exclude: Sequence[str] = ()):
        """Raise ValueError for an empty pattern."""
        if not all(exclude):
            raise ValueError("data.exclude: an empty pattern")
        self._exclude = exclude
        self._others: list[str] = []
        self._system: set[str] = set()
        self._reached: dict[str, bool] = {}
        self._excluded = Counter[str](dict.fromkeys(exclude, 0))

    def enters(self, folder: str) -> bool:
        """Whether a folder, by its path, is looked into; those above it are taken to be."""
        name = PurePosixPath(folder).name
        if is_system_folder(name):
            self._system.add(name)
        return not (is_hidden(folder) or is_system_folder(name) or self._is_excluded(folder))

    def takes(self, file: str) -> bool:
        """Whether a file, by its path, is an image that is wanted; folders above are entered."""
        if is_hidden(file) or self._is_excluded(file):
            return False
        if not is_image(file):
            self._others.append(file)
            return False
        return True

    def reaches(self, path: str) -> bool:
        """Whether all the folders above a path are entered; each is looked at once."""
        folder = path.rpartition("/")[0]
        if folder not in self._reached:
            self._reached[folder] = not folder or (self.reaches(folder) and self.enters(folder))
        return self._reached[folder]

    def _is_excluded(self, path: str) -> bool:
        pattern = next((p for p in self._exclude if PurePosixPath(path).match(p)), None)
        if pattern is not None:
            self._excluded[pattern] += 1
        return pattern is not None

    @property
    def notes(self) -> list[str]:
        """What was left out, for the log; hidden files are not worth a word."""
        system = ", ".join(map(printable, sorted(self._system)))
        excluded = ", ".join(f"{printable(p)} ({n:,})" for p, n in self._excluded.items())
        return [
            *([not_read(self._others)] if self._others else []),
            *([f"folders of the system passed over: {system}"] if system else []),
            *([f"excluded: {excluded}"] if excluded else []),
        ]
