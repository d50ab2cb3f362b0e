"""Names in messages: suggestions, printable and shortened forms."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def nearest(name: object, names: Iterable[str]) -> str:
    """``"; did you mean X?"`` when one of ``names`` is close to ``name``, else an empty string."""
    by_folded = {candidate.casefold(): candidate for candidate in names}
    matches = get_close_matches(str(name).casefold(), by_folded, n=1)
    return f"; did you mean {by_folded[matches[0]]}?" if matches else ""


def printable(text: object) -> str:
    r"""Text for the terminal: control characters and undecodable bytes as ``\n``, ``\x1b``…"""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(text)
    )


def shorten(name: str, letters: int, *, keep_end: bool = False) -> str:
    """At most ``letters`` printable letters of a name (2 or more), with … for those left out.

    The end is left out, or the middle with ``keep_end``.
    """
    name = printable(name)
    if len(name) <= letters:
        return name
    end = (letters - 1) // 2 if keep_end else 0
    return f"{name[: letters - 1 - end]}…{name[len(name) - end :]}"


def first_names(names: Sequence[str], count: int = 3) -> str:
    """``a, b, c and 2 more``: the first ``count`` names, printable."""
    shown = ", ".join(map(printable, names[:count]))
    return shown + (f" and {len(names) - count} more" if len(names) > count else "")


def check_model_name(kind: str, name: str, known: Iterable[str], *, listed_by: str = "") -> None:
    """Raise ValueError, with the nearest name, unless ``name`` is known.

    The error lists all known names, or only says that ``listed_by`` does.
    """
    names = list(known)
    if name not in names:
        accepted = f"any of the {len(names)} in {listed_by}" if listed_by else ", ".join(names)
        raise ValueError(f"unknown {kind} {name!r}{nearest(name, names)} (accepted: {accepted})")
