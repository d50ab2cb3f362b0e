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
    """

    name: str
    about: str
    published: str
    source: str


def recipes(folder: Path = FOLDER) -> list[Recipe]:
    """All recipes, by name.

    Raises:
        OSError: a file cannot be read.
    """
    return [_recipe(path) for path in sorted(folder.glob("*.yaml"))]


def _recipe(path: Path) -> Recipe:
    """Read the comments above ``defaults:``; a field goes on until the next one or a bare ``#``."""
    fields: dict[str, list[str]] = {"About": []}
    current = "About"
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        if line.startswith("# @"):
            continue
        found = _FIELD.match(line)
        if found:
            current = found[1]
            fields[current] = [found[2]]
        else:
            fields[current].append(line.removeprefix("#").strip())
    texts = {name: " ".join(" ".join(lines).split()) for name, lines in fields.items()}
    return Recipe(path.stem, texts["About"], texts.get("Published", ""), texts.get("Source", ""))
