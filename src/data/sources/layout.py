"""What class and what part of the data an image belongs to, by the path of its file."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.data.formats import IMAGE_SUFFIXES
from src.names import printable

__all__ = ["EXPECTED", "EXTENSIONS", "Layout", "arrange", "is_hidden", "is_image", "seen_from_here"]

EXTENSIONS = IMAGE_SUFFIXES
EXPECTED = (
    "expected are train/<class>/<image> and test/<class>/<image>, or <class>/<image>, with images "
    f"in {', '.join(EXTENSIONS)}"
)
_HIDDEN = re.compile(r"(^|/)(\.|__MACOSX(/|$))")
_TRAIN = "train"
_TESTS = ("test", "val", "valid", "validation")  # the first one there is the test set

_Parts = tuple[str, ...]


def seen_from_here(root: Path) -> str:
    """Where a path that is not absolute begins, for a message; nothing for an absolute one."""
    return "" if root.is_absolute() else f" (in the current directory, {Path.cwd()})"


@dataclass(frozen=True)
class Layout:
    """Where the images belong.

    Attributes:
        classes: sorted alphabetically.
        label: for each image its class, -1 where it takes no part.
        in_test: for each image whether it is in the folder of test images.
        has_test: whether there is such a folder.
        note: how the folders were understood, for the log.
    """

    classes: tuple[str, ...]
    label: list[int]
    in_test: list[bool]
    has_test: bool
    note: str


def is_hidden(name: str) -> bool:
    """Whether a path or a folder above it is hidden, or is macOS's metadata."""
    return _HIDDEN.search(name) is not None


def is_image(name: str) -> bool:
    """Whether a path is a visible image, by its extension."""
    return name.lower().endswith(EXTENSIONS) and not is_hidden(name)


def _without_wrapper(images: list[_Parts], folders: list[_Parts]) -> tuple[list[_Parts], ...]:
    """Take off the one folder around everything that archives often have."""
    tops = {parts[0] for parts in images}
    wrapped = len(tops) == 1 and min(len(parts) for parts in images) > 2
    if not wrapped or tops <= {_TRAIN, *_TESTS}:
        return images, folders
    (top,) = tops
    inside = [parts[1:] for parts in folders if parts[0] == top and len(parts) > 1]
    return [parts[1:] for parts in images], inside


def _used_folders(
    images: list[_Parts], folders: list[_Parts], where: str
) -> tuple[tuple[str, ...], str]:
    """Which top folders are parts of the data, training first, and the note for the log."""
    tops = {parts[0] for parts in images + folders}
    test = next((top for top in _TESTS if top in tops), None)
    if _TRAIN not in tops:
        if test is not None:
            raise ValueError(f"{where} has {test}/ but no {_TRAIN}/; {EXPECTED}")
        return (), "class folders, a tenth of every class held out as the test set"
    note = f"{_TRAIN}/ and {test}/" if test else f"{_TRAIN}/, a tenth held out as the test set"
    used = (_TRAIN, test) if test else (_TRAIN,)
    unused = sorted(tops.difference(used))
    return used, note + (f", not used: {', '.join(unused)}" if unused else "")


def arrange(names: Sequence[str], folders: Iterable[str], where: str) -> Layout:
    """Work out classes, training and test images.

    Args:
        names: the images' paths below the root, separated by slashes.
        folders: the paths of the folders below the root, so that empty ones are noticed.
        where: the root, for errors.

    Raises:
        ValueError: there are no images, a single class, an empty class folder, an image outside
            of any class folder, a test class that is not trained, a class too small to hold any
            image out, or no ``train`` beside ``test``.
    """
    if not names:
        raise ValueError(f"{where} holds no images; {EXPECTED}")
    images, inner = _without_wrapper(
        [tuple(name.split("/")) for name in names],
        [tuple(folder.split("/")) for folder in folders if folder and not is_hidden(folder)],
    )
    used, note = _used_folders(images, inner, where)
    flat = not used
    # From here on a path is (part, class, ..., file); the one part of a flat layout is "".
    if flat:
        images, inner = [("", *parts) for parts in images], [("", *parts) for parts in inner]
    parts_used = used or ("",)
    counts = {part: Counter[str]() for part in parts_used}
    for name, parts in zip(names, images, strict=True):
        if parts[0] in counts:
            if len(parts) < 3:
                raise ValueError(f"{where}: {printable(name)} lies in no class folder; {EXPECTED}")
            counts[parts[0]][parts[1]] += 1
    has_test = len(parts_used) == 2
    _check(counts, [p for p in inner if len(p) == 2 and p[0] in counts], has_test, where)
    classes = tuple(sorted(counts[parts_used[0]]))
    index = {name: number for number, name in enumerate(classes)}
    label = [index[parts[1]] if parts[0] in counts else -1 for parts in images]
    in_test = [has_test and parts[0] == parts_used[1] for parts in images]
    return Layout(classes, label, in_test, has_test, note)


def _check(
    counts: dict[str, Counter[str]], class_folders: list[_Parts], has_test: bool, where: str
) -> None:
    for part, name in class_folders:
        if not counts[part][name]:
            folder = f"{part}/{name}".lstrip("/")
            raise ValueError(
                f"{where}: class folder {printable(folder)} holds no images; {EXPECTED}"
            )
    train, *tests = counts.values()
    if not train:
        raise ValueError(f"{where}: {_TRAIN}/ holds no images; {EXPECTED}")
    for part, test in zip(list(counts)[1:], tests, strict=True):
        if not test:
            raise ValueError(f"{where}: {part}/ holds no images; {EXPECTED}")
        alone = sorted(set(test) - set(train))
        if alone:
            raise ValueError(
                f"{where}: class {printable(alone[0])} is in {part}/ but not in {_TRAIN}/; the "
                f"training images have the classes {printable(', '.join(sorted(train)))}"
            )
    if len(train) < 2:
        (only,) = train
        raise ValueError(
            f"{where} has a single class, {printable(only)}; at least two are needed, {EXPECTED}"
        )
    smallest = min(train, key=lambda name: train[name])
    if not has_test and train[smallest] < 2:
        raise ValueError(
            f"{where}: class {printable(smallest)} has a single image; without a test/ folder at "
            "least two are needed, one of them to test on"
        )
