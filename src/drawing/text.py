"""Text that fits."""

from src.names import printable


def shorten(name: str, letters: int, *, keep_end: bool = False) -> str:
    """At most so many letters of a name, with … for what was left out.

    What cannot be drawn, such as the bytes of a name that is not UTF-8, is written as an escape.

    Args:
        name: the text.
        letters: how many fit, at least 2.
        keep_end: leave out the middle: beginnings and endings tell files apart.
    """
    name = printable(name)
    if len(name) <= letters:
        return name
    end = (letters - 1) // 2 if keep_end else 0
    return f"{name[: letters - 1 - end]}…{name[len(name) - end :]}"
