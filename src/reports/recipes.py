"""The recipes of ``conf/experiment`` and what their headers say of them."""

import re
from dataclasses import dataclass
from pathlib import Path

from src.config.check import CONF

__all__ = ["Recipe", "recipes"]

FOLDER = CONF / "experiment"
_FIELD = re.compile(r"#\s*(Command|Cost|Published|Source):\s*(.*)")


@dataclass(frozen=True)
class Recipe:
    """One file of ``conf/experiment``.

    Attributes:
        name: as it is typed, ``experiment=<name>``.
        about: what it is, a sentence.
        published: the figures others have had, or that there are none.
        source: where those are from.
        note: what else is to be known of it, or nothing.
    """

    name: str
    about: str
    published: str
    source: str
    note: str


def recipes(folder: Path = FOLDER) -> list[Recipe]:
    """All recipes, by name.

    Raises:
        OSError: a file cannot be read.
    """
    return [_recipe(path) for path in sorted(folder.glob("*.yaml"))]


def _recipe(path: Path) -> Recipe:
    """Read the comments above ``defaults:``.

    What the recipe is stands first; each field goes on until the next one or a bare ``#``, and
    what follows that without a field's name is the note.
    """
    fields: dict[str, list[str]] = {"About": []}
    current = "About"
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        if line.startswith("# @"):
            continue
        if line == "#":
            current = "Note"
            fields.setdefault(current, [])
            continue
        found = _FIELD.match(line)
        if found:
            current = found[1]
            fields[current] = [found[2]]
        else:
            fields[current].append(line.removeprefix("#").strip())
    texts = {name: " ".join(" ".join(lines).split()) for name, lines in fields.items()}
    return Recipe(
        path.stem,
        about=texts["About"],
        published=texts.get("Published", ""),
        source=texts.get("Source", ""),
        note=texts.get("Note", ""),
    )
