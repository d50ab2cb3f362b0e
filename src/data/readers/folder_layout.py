"""Class and part (train, validation, test) of an image, by its file's path."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from src.text import printable

PARTS = ("train", "validation", "test")
# The words that Hugging Face's data folders recognize the parts of a data set by.
_PART_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_SEPARATORS = re.compile(r"[-._ 0-9]+")
_EXAMPLES = 3  # names in a message

_Path = tuple[str, ...]


@dataclass(frozen=True)
class FolderLayout:
    """Where the images belong.

    Attributes:
        classes: of all parts, sorted alphabetically.
        labels: index of the class of each image that belongs to a part, by the image's name.
        parts: ``train``, ``validation`` or ``test`` of the same images.
        notes: how the folders were understood, then what is not used.
    """

    classes: tuple[str, ...]
    labels: dict[str, int]
    parts: dict[str, str]
    notes: list[str]


def parse_folder_layout(names: Sequence[str], folders: Iterable[str], where: str) -> FolderLayout:
    """Work out classes and parts, from ``[wrapper/][part/]class/…/image`` or ``class/part/image``.

    A part is known by a word in the name of its folder, whatever its case. A folder in which most
    images lie directly is a class, whatever its name.

    Args:
        names: the images' paths below the root, separated by slashes.
        folders: the paths of the folders below the root, so that empty ones are noticed.
        where: the root, for errors.

    Returns:
        The layout; without classes if there are no images in folders.

    Raises:
        ValueError: it cannot be told whether folders are classes or parts; the message has both
            readings.
    """
    paths = {name: tuple(name.split("/")) for name in names}
    notes = _empty(paths.values(), folders)
    paths = _parts_first(_without_wrappers(_in_folders(paths)))
    if not paths:
        return FolderLayout((), {}, {}, notes)
    strays = [name for name in names if name not in paths]
    tops = _tops(paths.values())
    parts = {top.name: part for top in tops if (part := top.part)}
    if parts:
        others = [top for top in tops if not top.part]
        _check_others(parts, tops, others, where)
        notes.insert(0, _listed(parts))
        notes += [f"not used: {', '.join(map(_counted, others))}"] if others else []
        paths = _without_inner_wrappers(paths, parts)
        paths = {name: path for name, path in paths.items() if path[0] in parts}
        strays += [name for name, path in paths.items() if len(path) == 2]
        placed = {n: (parts[path[0]], path[1]) for n, path in paths.items() if len(path) > 2}
    else:
        _check_classes(tops, where)
        notes.insert(0, "class folders")
        placed = {name: ("train", path[0]) for name, path in paths.items()}
    if strays:
        notes.append(f"in no class folder: {first_names(sorted(strays))}")
    classes = tuple(sorted({class_name for _, class_name in placed.values()}))
    index = {class_name: label for label, class_name in enumerate(classes)}
    return FolderLayout(
        classes,
        {name: index[class_name] for name, (_, class_name) in placed.items()},
        {name: part for name, (part, _) in placed.items()},
        notes,
    )


def first_names(names: Sequence[str]) -> str:
    """``a, b, c and 2 more``: the first names of a list, for a message."""
    shown = ", ".join(map(printable, names[:_EXAMPLES]))
    return shown + (f" and {len(names) - _EXAMPLES} more" if len(names) > _EXAMPLES else "")


def _part_named(folder: str) -> str | None:
    """The part that a word in a folder's name means; None if there are none or several."""
    parts = {_PART_WORDS[word] for word in _words(folder) if word in _PART_WORDS}
    return parts.pop() if len(parts) == 1 else None


def _words(folder: str) -> list[str]:
    return [word for word in _SEPARATORS.split(folder.lower()) if word]


@dataclass(frozen=True)
class _Top:
    """A folder at the top.

    Attributes:
        name: of the folder.
        direct: number of images that lie in it directly.
        folders: number of images that lie in, or below, each folder in it.
    """

    name: str
    direct: int
    folders: Counter[str]

    @property
    def part(self) -> str | None:
        """The part that its name means, if most of its images lie in folders of classes."""
        return _part_named(self.name) if self.folders.total() > self.direct else None

    @property
    def named_exactly(self) -> bool:
        """Whether its name is that of a part and nothing else."""
        return self.name.lower() in _PART_WORDS

    @property
    def rest_of_name(self) -> tuple[str, ...]:
        """The words of its name that are not those of a part: ``pets`` of ``pets_train``."""
        return tuple(word for word in _words(self.name) if word not in _PART_WORDS)


def _tops(paths: Iterable[_Path]) -> list[_Top]:
    direct, inside = Counter[str](), defaultdict[str, Counter[str]](Counter)
    for top, second, *deeper in paths:
        if deeper:
            inside[top][second] += 1
        else:
            direct[top] += 1
    return [_Top(name, direct[name], inside[name]) for name in sorted({*direct, *inside})]


def _in_folders(paths: Mapping[str, _Path]) -> dict[str, _Path]:
    return {name: path for name, path in paths.items() if len(path) > 1}


def _without_wrappers(paths: dict[str, _Path]) -> dict[str, _Path]:
    """Take off single folders around everything, which archives often have."""
    tops = _tops(paths.values())
    if len(tops) != 1 or tops[0].direct >= tops[0].folders.total():
        return paths
    inside = _in_folders({name: path[1:] for name, path in paths.items()})
    within = _tops(inside.values())
    # cat/train/1.png is an image of the class cat; data/train/cat/1.png is in a wrapper.
    parts_of_a_class = all(_part_named(top.name) and not top.part for top in within)
    is_part = tops[0].part and (tops[0].named_exactly or not all(top.part for top in within))
    if parts_of_a_class or is_part:
        return paths
    return _without_wrappers(inside)


def _parts_first(paths: dict[str, _Path]) -> dict[str, _Path]:
    """Bring ``class/part/image`` into the order of ``part/class/image``."""
    tops = _tops(paths.values())
    deep = any(len(path) > 3 for path in paths.values())
    if deep or any(top.direct for top in tops) or all(_part_named(top.name) for top in tops):
        return paths
    if not all(_part_named(name) for top in tops for name in top.folders):
        return paths
    return {name: (path[1], path[0], *path[2:]) for name, path in paths.items()}


def _without_inner_wrappers(
    paths: Mapping[str, _Path], parts: Mapping[str, str]
) -> dict[str, _Path]:
    """Take off a folder around all classes of a part: ``seg_train/seg_train/<class>/<image>``."""
    shallow = {path[0] for path in paths.values() if len(path) == 3}
    inner = {
        top.name: next(iter(top.folders))
        for top in _tops(paths.values())
        if top.name in parts and len(top.folders) == 1 and not top.direct
    }
    of_train = {inner[top] for top in inner if parts[top] == "train" and top not in shallow}
    wrapped = {
        top
        for top, name in inner.items()
        if name in of_train or (_part_named(name) == parts[top] and top not in shallow)
    }
    return {
        name: (path[0], *path[2:]) if path[0] in wrapped else path for name, path in paths.items()
    }


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
        unlabelled = bool(_part_named(top.name)) or exact
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
    listed = first_names([f"{top.name}/" for top in tops])
    as_classes = "if they are classes, put all of them into a folder called train"
    if all(_part_named(top.name) for top in tops):
        raise ValueError(
            f"{where}: most images of {listed} lie in no folder of a class. If these are parts, "
            f"put the images of each into folders of their classes; {as_classes}"
        )
    for top in tops:
        inside = {part: name for name in sorted(top.folders) if (part := _part_named(name))}
        if "train" in inside or len(inside) > 1:
            name, part = printable(top.name), printable(inside.get("train", min(inside.values())))
            others = first_names([f"{other.name}/" for other in tops if other is not top])
            raise ValueError(
                f"{where}: {name}/{part}/ may be a part of the data, and {name}/ a class as "
                f"{others} may be. If they are parts, take {where}/{name} or put train/, val/ and "
                f"test/ at the top; {as_classes}"
            )
    shared = set.intersection(*(set(top.folders) for top in tops))
    deep = all(top.folders.total() > top.direct for top in tops)
    if len(tops) > 1 and len(shared) > 1 and deep:
        raise ValueError(
            f"{where}: {listed} hold folders of the same names ({first_names(sorted(shared))}). If "
            f"they are parts of the data, call them train, val and test; {as_classes}"
        )


def _empty(paths: Iterable[_Path], folders: Iterable[str]) -> list[str]:
    """A note of the outermost folders without any image."""
    used = {path[:depth] for path in paths for depth in range(1, len(path))}
    split = {tuple(folder.split("/")) for folder in folders}
    empty = sorted(f for f in split if f not in used and (len(f) == 1 or f[:-1] in used))
    return [f"without images: {first_names(['/'.join(f) + '/' for f in empty])}"] if empty else []


def _listed(parts: Mapping[str, str]) -> str:
    """``train/ and test/``, ``Training/ as train, val/ as validation``, in this order."""
    words = [
        f"{printable(name)}/" + ("" if name == part else f" as {part}")
        for name, part in sorted(parts.items(), key=lambda item: PARTS.index(item[1]))
    ]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _counted(top: _Top) -> str:
    count = top.direct + top.folders.total()
    return f"{printable(top.name)}/ ({count:,} image{'s' if count > 1 else ''})"
