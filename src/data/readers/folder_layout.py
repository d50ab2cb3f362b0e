"""Class and part (train, validation, test) of an image, by its file's path."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.data.readers.file_selection import IMAGE_SUFFIXES
from src.text import printable

EXPECTED = (
    "expected are train/<class>/<image> and test/<class>/<image>, or <class>/<image>, with images "
    f"in {', '.join(IMAGE_SUFFIXES)}"
)
_PARTS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""The words that Hugging Face's data folders recognise the parts of a data set by."""

_SEPARATORS = re.compile(r"[-._ 0-9]+")
_NAMED = 3  # examples in a note

_Path = tuple[str, ...]


def seen_from_here(root: Path) -> str:
    """Where a path that is not absolute begins, for a message; nothing for an absolute one."""
    return "" if root.is_absolute() else f" (in the current directory, {Path.cwd()})"


@dataclass(frozen=True)
class FolderLayout:
    """Where the images belong.

    Attributes:
        classes: of all parts, sorted alphabetically.
        labels: for each image its class, -1 where it takes no part.
        parts: for each image ``train``, ``validation`` or ``test``, empty where it takes no part.
        notes: how the folders were understood, and what is not used.
    """

    classes: tuple[str, ...]
    labels: list[int]
    parts: list[str]
    notes: list[str]


def part_named(folder: str) -> str | None:
    """``train``, ``validation`` or ``test``: that of the words in a folder's name, if it is one."""
    words = set(_words(folder))
    parts = [part for part, known in _PARTS.items() if words.intersection(known)]
    return parts[0] if len(parts) == 1 else None


def _words(folder: str) -> list[str]:
    return [word for word in _SEPARATORS.split(folder.lower()) if word]


@dataclass(frozen=True)
class _Top:
    """A folder at the top.

    Attributes:
        name: of the folder.
        direct: how many images lie in it directly.
        folders: how many images lie in, or below, each folder in it.
    """

    name: str
    direct: int
    folders: Counter[str]

    @property
    def part(self) -> str | None:
        """The part that its name says, if most of its images lie in folders of classes."""
        return part_named(self.name) if self.folders.total() > self.direct else None

    @property
    def named_exactly(self) -> bool:
        """Whether its name is that of a part and nothing else."""
        return any(self.name.lower() in known for known in _PARTS.values())

    @property
    def rest_of_name(self) -> tuple[str, ...]:
        """The words of its name that are not those of a part: ``pets`` of ``pets_train``."""
        keywords = {word for known in _PARTS.values() for word in known}
        return tuple(word for word in _words(self.name) if word not in keywords)


def parse_folder_layout(names: Sequence[str], folders: Iterable[str], where: str) -> FolderLayout:
    """Work out classes and parts, from ``[wrapper/][part/]class/…/image`` or ``class/part/image``.

    A part is known by a word in the name of its folder, whatever its case. A folder in which most
    images lie directly is a class, whatever its name.

    Args:
        names: the images' paths below the root, separated by slashes.
        folders: the paths of the folders below the root, so that empty ones are noticed.
        where: the root, for errors.

    Raises:
        ValueError: there are no images in class folders, or it cannot be told whether folders are
            classes or parts; the message has both readings.
    """
    paths: dict[int, _Path] = {i: tuple(name.split("/")) for i, name in enumerate(names)}
    notes = _empty(paths.values(), folders)
    paths = _parts_first(_without_wrappers(_in_folders(paths)))
    if not paths:
        raise ValueError(f"{where} holds no images in folders of classes; {EXPECTED}")
    strays = [name for i, name in enumerate(names) if i not in paths]
    tops = _tops(paths.values())
    parts = {top.name: part for top in tops if (part := top.part)}
    if parts:
        others = [top for top in tops if not top.part]
        _check_others(parts, tops, others, where)
        notes[:0] = [_listed(parts)]
        notes += [f"not used: {', '.join(_counted(top) for top in others)}"] if others else []
        paths = _without_inner_wrappers(paths, parts)
        strays += [names[i] for i, path in paths.items() if len(path) == 2 and path[0] in parts]
        placed = {
            i: (parts[path[0]], path[1])
            for i, path in paths.items()
            if path[0] in parts and len(path) > 2
        }
    else:
        _check_classes(tops, where)
        notes[:0] = ["class folders"]
        placed = {i: ("train", path[0]) for i, path in paths.items()}
    if strays:
        notes.append(f"in no class folder: {_shortened(sorted(strays))}")
    classes = tuple(sorted({name for _, name in placed.values()}))
    numbers = {name: number for number, name in enumerate(classes)}
    return FolderLayout(
        classes,
        [numbers[placed[i][1]] if i in placed else -1 for i in range(len(names))],
        [placed[i][0] if i in placed else "" for i in range(len(names))],
        notes,
    )


def _in_folders(paths: Mapping[int, _Path]) -> dict[int, _Path]:
    return {i: path for i, path in paths.items() if len(path) > 1}


def _tops(paths: Iterable[_Path]) -> list[_Top]:
    direct, inside = Counter[str](), defaultdict[str, Counter[str]](Counter)
    for path in paths:
        if len(path) == 2:
            direct[path[0]] += 1
        else:
            inside[path[0]][path[1]] += 1
    return [_Top(name, direct[name], inside[name]) for name in sorted({*direct, *inside})]


def _without_wrappers(paths: Mapping[int, _Path]) -> dict[int, _Path]:
    """Take off single folders around everything, which archives often have."""
    tops = _tops(paths.values())
    if len(tops) != 1 or tops[0].direct >= tops[0].folders.total():
        return dict(paths)
    inside = _in_folders({i: path[1:] for i, path in paths.items()})
    within = _tops(inside.values())
    # cat/train/1.png is an image of the class cat; data/train/cat/1.png is in a wrapper.
    parts_of_a_class = all(part_named(top.name) and not top.part for top in within)
    is_part = tops[0].part and (tops[0].named_exactly or not all(top.part for top in within))
    if parts_of_a_class or is_part:
        return dict(paths)
    return _without_wrappers(inside)


def _parts_first(paths: dict[int, _Path]) -> dict[int, _Path]:
    """Bring ``class/part/image`` into the order of ``part/class/image``."""
    tops = _tops(paths.values())
    deep = any(len(path) > 3 for path in paths.values())
    if deep or any(top.direct for top in tops) or all(part_named(top.name) for top in tops):
        return paths
    if not all(part_named(name) for top in tops for name in top.folders):
        return paths
    return {i: (path[1], path[0], *path[2:]) for i, path in paths.items()}


def _without_inner_wrappers(
    paths: Mapping[int, _Path], parts: Mapping[str, str]
) -> dict[int, _Path]:
    """Take off a folder around all classes of a part: ``seg_train/seg_train/<class>/<image>``."""
    inner: dict[str, str] = {}
    for top in _tops(paths.values()):
        if top.name in parts and len(top.folders) == 1 and not top.direct:
            (inner[top.name],) = top.folders
    shallow = {path[0] for path in paths.values() if len(path) == 3}
    of_train = {inner[top] for top in inner if parts[top] == "train" and top not in shallow}
    result = dict(paths)
    for part, name in inner.items():
        same_part = part_named(name) == parts[part] and part not in shallow
        if name in of_train or same_part:
            result |= {i: (part, *path[2:]) for i, path in paths.items() if path[0] == part}
    return result


def _check_others(
    parts: Mapping[str, str], tops: Sequence[_Top], others: Sequence[_Top], where: str
) -> None:
    """Refuse folders beside parts that may be parts, or classes as the parts may be."""
    parted = [top for top in tops if top.name in parts]
    classes = {name for top in parted for name in top.folders}
    # pets_train and pets_test are parts; a steam train and a crash test may be classes.
    certain = len(set(parts.values())) > 1 and len({top.rest_of_name for top in parted}) == 1
    exact = all(top.named_exactly for top in parted)
    part = printable(parted[0].name)
    for top in others:
        other = printable(top.name)
        if "train" not in parts.values() and top.name in classes:
            raise ValueError(
                f"{where}: {other}/ is a class of {part}/, and there is no train/; put the classes "
                "to train on into a folder called train"
            )
        unlabelled = bool(part_named(top.name)) or exact
        clear = certain or (top.direct and unlabelled)
        if classes.intersection(top.folders) or not clear:
            raise ValueError(
                f"{where}: {part}/ may be a part of the data or a class, and so may {other}/. If "
                f"they are parts, call {other}/ train, val or test, or leave it out with "
                f"'data.exclude=[{other}]'; if they are classes, put all of them into a folder "
                "called train"
            )


def _check_classes(tops: Sequence[_Top], where: str) -> None:
    """Refuse top folders that may be the parts of a data set, or hold parts."""
    listed = f"{_shortened([top.name + '/' for top in tops])}"
    as_classes = "if they are classes, put all of them into a folder called train"
    if all(part_named(top.name) for top in tops):
        raise ValueError(
            f"{where}: most images of {listed} lie in no folder of a class. If these are parts, "
            f"put the images of each into folders of their classes; {as_classes}"
        )
    for top in tops:
        inside = {part: name for name in sorted(top.folders) if (part := part_named(name))}
        if "train" in inside or len(inside) > 1:
            name, part = printable(top.name), printable(inside.get("train", min(inside.values())))
            others = _shortened([other.name + "/" for other in tops if other is not top])
            raise ValueError(
                f"{where}: {name}/{part}/ may be a part of the data, and {name}/ a class as "
                f"{others} may be. If they are parts, take {where}/{name} or put train/, val/ and "
                f"test/ at the top; {as_classes}"
            )
    shared = set.intersection(*(set(top.folders) for top in tops))
    deep = all(top.folders.total() > top.direct for top in tops)
    if len(tops) > 1 and len(shared) > 1 and deep:
        raise ValueError(
            f"{where}: {listed} hold folders of the same names ({_shortened(sorted(shared))}). If "
            f"they are parts of the data, call them train, val and test; {as_classes}"
        )


def _empty(paths: Iterable[_Path], folders: Iterable[str]) -> list[str]:
    """A note of the outermost folders without any image."""
    used = {path[:depth] for path in paths for depth in range(1, len(path))}
    split = {tuple(folder.split("/")) for folder in folders if folder}
    empty = sorted(f for f in split if f not in used and (len(f) == 1 or f[:-1] in used))
    return [f"without images: {_shortened(['/'.join(f) + '/' for f in empty])}"] if empty else []


def _listed(parts: Mapping[str, str]) -> str:
    """``train/ and test/``, ``Training/ as train, val/ as validation``, in this order."""
    words = [
        f"{printable(name)}/" + ("" if name == part else f" as {part}")
        for kind in _PARTS
        for name, part in parts.items()
        if part == kind
    ]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _counted(top: _Top) -> str:
    count = top.direct + top.folders.total()
    return f"{printable(top.name)}/ ({count:,} image{'s' if count > 1 else ''})"


def _shortened(names: Sequence[str]) -> str:
    shown = ", ".join(map(printable, names[:_NAMED]))
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
