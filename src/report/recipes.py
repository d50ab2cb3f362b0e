"""Recipes of ``conf/experiment``: their headers, and commands that repeat them elsewhere."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from src.config.validate import CONF
from src.report.load import setting_name

PRIVATE = ("hydra.run.dir", "data.cache_dir", "output")
"""Where one machine puts things: nothing that a result depends on."""


def portable(words: Iterable[str]) -> list[str]:
    """The words without the places of one machine: of a path elsewhere just its last name."""
    return [_without_folders(word) for word in words if setting_name(word) not in PRIVATE]


def shell(words: Iterable[str]) -> str:
    """One line for a shell; empty where a word has a line break, which no such line can hold."""
    line = shlex.join(words)
    return "" if "\n" in line else line


def _without_folders(word: str) -> str:
    key, _, value = word.partition("=")
    quote = value[:1] if value[:1] in ("'", '"') and value[-1:] == value[:1] else ""
    path = value.strip(quote) if quote else value
    if not re.match(r"(?:/|~|\.\.?/)", path):
        return word
    return f"{key}={quote}{PurePosixPath(path).name or path}{quote}"


FOLDER = CONF / "experiment"
_FIELD = re.compile(r"^(Command|Cost|Published|Source):", re.MULTILINE)


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
    """All recipes, by name."""
    return [_recipe(path) for path in sorted(folder.glob("*.yaml"))]


def _recipe(path: Path) -> Recipe:
    """Read the comments above ``defaults:``.

    What the recipe is stands first; each field goes on until the next one or a bare ``#``, and
    what follows that without a field's name is the note.
    """
    comments = takewhile(lambda line: line.startswith("#"), path.read_text().splitlines())
    text = "\n".join(line[1:].strip() for line in comments if not line.startswith("# @"))
    found: dict[str, str] = {"About": "", "Note": ""}
    for number, paragraph in enumerate(text.split("\n\n")):
        free, *fields = _FIELD.split(paragraph)
        found["Note" if number else "About"] += f" {free}"
        found |= dict(zip(fields[::2], fields[1::2], strict=True))
    named = ("About", "Published", "Source", "Note")
    return Recipe(path.stem, *(" ".join(found.get(name, "").split()) for name in named))
