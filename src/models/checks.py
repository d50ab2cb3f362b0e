"""Checks of what a user hands in; every error is one line that says what is accepted."""

from collections.abc import Iterable
from difflib import get_close_matches


def check_name(kind: str, name: str, known: Iterable[str], *, listed_by: str = "") -> None:
    """Raise ValueError, with the names nearest to `name`, unless it is one of `known`.

    The error lists all known names, or only says that `listed_by` does.
    """
    known = tuple(known)
    if name in known:
        return
    by_folded = {candidate.casefold(): candidate for candidate in known}
    matches = get_close_matches(str(name).casefold(), by_folded, n=3 if listed_by else 1)
    nearest = " or ".join(repr(by_folded[match]) for match in matches)
    hint = f"did you mean {nearest}? " if nearest else ""
    accepted = f"any of the {len(known)} in {listed_by}" if listed_by else ", ".join(known)
    raise ValueError(f"unknown {kind} {name!r}: {hint}accepted: {accepted}")


def check_at_least_one(**numbers: int) -> None:
    """Raise ValueError for the first of the named numbers that is below 1."""
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")


def in_one_line(error: Exception) -> str:
    """Return the message of `error` without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
