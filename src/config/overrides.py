"""Quoting of ``key=value`` overrides for Hydra's grammar."""

import re


def hydra_override(key: str, value: str) -> str:
    """``key=value`` with the value quoted for Hydra's grammar."""
    return f"{key}={hydra_quoted(value)}"


def plain_override(key: str, value: str) -> str:
    """``key=value`` for a message: quoted only where the grammar needs it."""
    return f"{key}={value}" if re.fullmatch(r"[\w./-]+", value) else hydra_override(key, value)


def hydra_quoted(value: str) -> str:
    """A text in quotes, as Hydra's grammar reads them."""
    # A backslash stands for itself, except before a quote.
    escaped = re.sub(r"(\\+)(?='|\Z)", r"\1\1", value).replace("'", "\\'")
    return f"'{escaped}'"
