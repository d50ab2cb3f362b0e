"""Text that fits."""


def shorten(name: str, letters: int, *, keep_end: bool = False) -> str:
    """At most so many letters of a name, with … for what was left out.

    Args:
        name: the text.
        letters: how many fit, at least 2.
        keep_end: leave out the middle: beginnings and endings tell files apart.
    """
    if len(name) <= letters:
        return name
    end = (letters - 1) // 2 if keep_end else 0
    return f"{name[: letters - 1 - end]}…{name[len(name) - end :]}"
