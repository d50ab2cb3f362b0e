"""Commands as they can be typed on another machine."""

import re
import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath

__all__ = ["key_of", "portable", "shell"]

PRIVATE = ("hydra.run.dir", "data.cache_dir", "output")
"""Where one machine puts things: nothing that a result depends on."""


def key_of(word: str) -> str:
    """The setting that a word changes: ``model.width`` of ``+model.width=64``."""
    return word.lstrip("+~").partition("=")[0]


def portable(words: Iterable[str]) -> list[str]:
    """The words without the places of one machine: of a path elsewhere just its last name."""
    return [_without_folders(word) for word in words if key_of(word) not in PRIVATE]


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
