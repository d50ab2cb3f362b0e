"""Class and part (train, validation, test) of an image, by its file's path."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from src.text import first_names, printable

PARTS = ("train", "validation", "test")
# The words that Hugging Face's data folders recognize the parts of a data set by.
_PART_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_SEPARATORS = re.compile(r"[-._ 0-9]+")


@dataclass(frozen=True)
class FolderLayout:
    """Where the images belong."""

    classes: tuple[str, ...]  # of all parts, sorted alphabetically
    places: dict[str, tuple[str, int]]  # part and label of each image that is used, by its name
    notes: list[str]  # how the folders were understood, then what is not used


def parse_folder_layout(names: Sequence[str], folders: Iterable[str], where: str) -> FolderLayout:
    """Work out classes and parts, from ``[wrapper/][part/]class/…/image`` or ``class/part/image``.

    A part is known by a word in the name of its folder. A folder in which most images lie directly
    is a class, whatever its name. Where folders may be classes or parts, a ValueError has both
    readings.

    Args:
        names: the images' paths below the root, separated by slashes.
        folders: the paths of the folders below the root, so that empty ones are noticed.
        where: the root, for errors.
    """
    root = _parts_first(_without_wrappers(_tree(names)))
    tops = sorted(root.folders.values(), key=lambda top: top.name)
    if not tops:
        return FolderLayout((), {}, [])
    parts = [top for top in tops if top.part]
    others = [top for top in tops if not top.part] if parts else []
    if parts:
        _check_others(parts, others, where)
        placed = _place_in_parts(parts)
    else:
        _check_classes(tops, where)
        placed = {image: ("train", top.name) for top in tops for image in top.all_images()}
    notes = [_listed(parts) if parts else "class folders", *_empty(names, folders)]
    if others:
        notes.append(f"not used: {', '.join(map(_counted, others))}")
    known = {*placed, *(image for top in others for image in top.all_images())}
    if strays := sorted(set(names) - known):
        notes.append(f"in no class folder: {first_names(strays)}")
    classes = tuple(sorted({folder for _, folder in placed.values()}))
    labels = {folder: label for label, folder in enumerate(classes)}
    places = {name: (part, labels[folder]) for name, (part, folder) in placed.items()}
    return FolderLayout(classes, places, notes)


def _part_named(folder: str) -> str:
    """The part that words in a folder's name mean; empty if they mean none or several."""
    parts = {_PART_WORDS[word] for word in _words(folder) if word in _PART_WORDS}
    return parts.pop() if len(parts) == 1 else ""


def _rest_of_name(folder: str) -> tuple[str, ...]:
    """The words in a folder's name that mean no part: ``pets`` of ``pets_train``."""
    return tuple(word for word in _words(folder) if word not in _PART_WORDS)


def _words(folder: str) -> list[str]:
    return [word for word in _SEPARATORS.split(folder.lower()) if word]


@dataclass
class _Folder:
    """A folder with images in it or below."""

    name: str
    images: list[str] = field(default_factory=list)  # paths of those directly in it
    folders: dict[str, "_Folder"] = field(default_factory=dict)  # by their names

    def all_images(self) -> list[str]:
        below = [image for folder in self.folders.values() for image in folder.all_images()]
        return self.images + below

    def count(self) -> int:
        return len(self.images) + sum(folder.count() for folder in self.folders.values())

    @property
    def holds_folders(self) -> bool:
        """Whether most of its images lie in folders in it."""
        return self.count() > 2 * len(self.images)

    @property
    def part(self) -> str:
        """The part that its name means, if most of its images lie in folders of classes."""
        return _part_named(self.name) if self.holds_folders else ""

    @property
    def only_folder(self) -> "_Folder | None":
        """The folder in it, if it holds nothing else."""
        alone = len(self.folders) == 1 and not self.images
        return next(iter(self.folders.values())) if alone else None


def _tree(names: Iterable[str]) -> _Folder:
    root = _Folder("")
    for path in names:
        folder = root
        for name in path.split("/")[:-1]:
            if name not in folder.folders:
                folder.folders[name] = _Folder(name)
            folder = folder.folders[name]
        folder.images.append(path)
    return root


def _without_wrappers(root: _Folder) -> _Folder:
    """The innermost of single folders around everything, which archives often have."""
    while len(root.folders) == 1:
        (top,) = root.folders.values()
        within = top.folders.values()
        # cat/train/1.png is an image of the class cat; data/train/cat/1.png is in a wrapper.
        parts_of_a_class = all(_part_named(folder.name) and not folder.part for folder in within)
        exact = top.name.lower() in _PART_WORDS
        is_part = top.part and (exact or not all(folder.part for folder in within))
        if not top.holds_folders or parts_of_a_class or is_part:
            break
        root = top
    return root


def _parts_first(root: _Folder) -> _Folder:
    """Bring ``class/part/image`` into the order of ``part/class/image``."""
    tops = root.folders.values()
    seconds = [(top.name, folder) for top in tops for folder in top.folders.values()]
    if (
        any(top.images for top in tops)
        or any(folder.folders for _, folder in seconds)
        or all(_part_named(top.name) for top in tops)
        or not all(_part_named(folder.name) for _, folder in seconds)
    ):
        return root
    turned = _Folder(root.name)
    for class_name, folder in seconds:
        part = turned.folders.setdefault(folder.name, _Folder(folder.name))
        part.folders[class_name] = _Folder(class_name, folder.images)
    return turned


def _place_in_parts(parts: Iterable[_Folder]) -> dict[str, tuple[str, str]]:
    """Part and class of each image in a folder of a class."""
    # seg_train/seg_train/<class>/<image>: the inner folder is around all classes of the part.
    wrappers = {
        inner.name
        for top in parts
        if top.part == "train" and (inner := top.only_folder) and not inner.images
    }
    placed: dict[str, tuple[str, str]] = {}
    for top in parts:
        inner = top.only_folder
        same_part = inner and _part_named(inner.name) == top.part and not inner.images
        content = inner if inner and (same_part or inner.name in wrappers) else top
        for folder in content.folders.values():
            placed |= dict.fromkeys(folder.all_images(), (top.part, folder.name))
    return placed


def _check_others(parts: Sequence[_Folder], others: Sequence[_Folder], where: str) -> None:
    """Refuse folders beside parts that may be parts, or classes as the parts may be."""
    kinds = {top.part for top in parts}
    classes = {name for top in parts for name in top.folders}
    # pets_train and pets_test are parts; a steam train and a crash test may be classes.
    certain = len(kinds) > 1 and len({_rest_of_name(top.name) for top in parts}) == 1
    exact = all(top.name.lower() in _PART_WORDS for top in parts)
    part = printable(parts[0].name)
    for top in others:
        other = printable(top.name)
        if "train" not in kinds and top.name in classes:
            raise ValueError(
                f"{where}: {other}/ is a class of {part}/, and there is no train/; put the classes "
                "to train on into a folder called train"
            )
        unlabeled = bool(_part_named(top.name)) or exact
        clear = certain or (top.images and unlabeled)
        if classes.intersection(top.folders) or not clear:
            raise ValueError(
                f"{where}: {part}/ may be a part of the data or a class, and so may {other}/. If "
                f"they are parts, call {other}/ train, val or test, or leave it out with "
                f"'data.exclude=[{other}]'; if they are classes, put all of them into a folder "
                "called train"
            )


def _check_classes(tops: Sequence[_Folder], where: str) -> None:
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
    deep = all(top.holds_folders for top in tops)
    if len(tops) > 1 and len(shared) > 1 and deep:
        raise ValueError(
            f"{where}: {listed} hold folders of the same names ({first_names(sorted(shared))}). If "
            f"they are parts of the data, call them train, val and test; {as_classes}"
        )


def _empty(names: Iterable[str], folders: Iterable[str]) -> list[str]:
    """A note of the outermost folders without any image."""
    used = {""}
    for name in names:
        folder = name.rpartition("/")[0]
        while folder not in used:
            used.add(folder)
            folder = folder.rpartition("/")[0]
    empty = [f"{f}/" for f in folders if f not in used and f.rpartition("/")[0] in used]
    return [f"without images: {first_names(sorted(empty))}"] if empty else []


def _listed(parts: Iterable[_Folder]) -> str:
    """``train/ and test/``, ``Training/ as train, val/ as validation``, in this order."""
    words = [
        f"{printable(top.name)}/" + ("" if top.name == top.part else f" as {top.part}")
        for top in sorted(parts, key=lambda top: PARTS.index(top.part))
    ]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _counted(top: _Folder) -> str:
    count = top.count()
    return f"{printable(top.name)}/ ({count:,} image{'s' if count > 1 else ''})"
