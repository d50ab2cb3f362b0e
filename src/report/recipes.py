"""Recipes of ``conf/experiment``, and commands and names of data without one machine's folders."""

import re
import shlex
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from src.config.validate import CONF
from src.report.load import setting_name

PRIVATE = ("hydra.run.dir", "data.cache_dir", "output")  # places on one machine


class Recipe(NamedTuple):
    """The header of a file of ``conf/experiment``; fields may be empty."""

    name: str
    about: str
    published: str
    source: str
    note: str


def recipes() -> list[Recipe]:
    """All recipes, by name."""
    return [_recipe(path) for path in sorted((CONF / "experiment").glob("*.yaml"))]


def _recipe(path: Path) -> Recipe:
    """Read the comments above ``defaults:``.

    The first paragraph begins with what the recipe is. Each field goes on until the next one or a
    bare ``#``, and what follows that without a field's name is the note.
    """
    comments = takewhile(lambda line: line.startswith("#"), path.read_text().splitlines())
    text = "\n".join(line[1:].strip() for line in comments if not line.startswith("# @"))
    found: dict[str, str] = {"About": "", "Note": ""}
    for number, paragraph in enumerate(text.split("\n\n")):
        free, *fields = re.split(r"^(Command|Cost|Published|Source):", paragraph, flags=re.M)
        found["Note" if number else "About"] += f" {free}"
        found |= dict(zip(fields[::2], fields[1::2], strict=True))
    named = ("About", "Published", "Source", "Note")
    return Recipe(path.stem, *(" ".join(found.get(name, "").split()) for name in named))


def portable(words: Iterable[str]) -> list[str]:
    """The words without the places of one machine: of a path elsewhere just its last name."""
    return [_without_folders(word) for word in words if setting_name(word) not in PRIVATE]


def _without_folders(word: str) -> str:
    found = re.fullmatch(r"([^=]*=)(['\"]?)((?:/|~|\.\.?/).*)\2", word, re.DOTALL)
    if not found:
        return word
    start, quote, path = found.groups()
    return f"{start}{quote}{PurePosixPath(path).name or path}{quote}"


def shell(words: Iterable[str]) -> str:
    """One line for a shell; empty where a word has a line break, which no such line can hold."""
    line = shlex.join(words)
    return "" if "\n" in line else line


def archive_name(source: str) -> str:
    """Where images are from, without the folders of one machine.

    ``images in /my/own/cifar10.tar.xz (train/ and test/)`` is ``images in cifar10.tar.xz (train/
    and test/)``.
    """
    found = re.fullmatch(r"(.*(?:images in |, ))(\S*/.*?)( \([^()]*\))?", source)
    return f"{found[1]}{Path(found[2]).name}{found[3] or ''}" if found else source
