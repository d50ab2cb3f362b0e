"""Names a user may have meant, and names as they can be shown."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: object, names: Iterable[str]) -> str:
    """``"; did you mean X?"`` when one of ``names`` is close to ``name``, else an empty string."""
    matches = get_close_matches(str(name), list(names), n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


def check_name(key: str, name: object, accepted: Iterable[str]) -> None:
    """Raise ValueError, with the nearest name, unless ``name`` is one of the accepted ones."""
    accepted = tuple(accepted)
    if name not in accepted:
        raise ValueError(
            f"{key} must be one of {', '.join(accepted)}, got {name!r}{nearest(name, accepted)}"
        )


def printable(text: object) -> str:
    r"""A name for the terminal: line breaks, escape codes and stray bytes as ``\n``, ``\x1b``…"""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(text)
    )
