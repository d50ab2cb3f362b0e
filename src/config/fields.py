"""Types and flags of settings, and pydantic's errors about them in one line."""

import re
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, get_type_hints

from pydantic import BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from src.errors import ConfigError
from src.text import nearest

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True)
"""Configuration of the settings' dataclasses."""

LENIENT = ConfigDict(extra="ignore", allow_inf_nan=False)
"""Configuration of dataclasses that files with further keys are read into."""


class Flag(Enum):
    """A property of a setting, in the metadata of its type."""

    CHANGEABLE = "may change when a run is resumed"
    INCIDENTAL = "has no effect on what is learned or measured"


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("number_type", "Input should be a number")
    return value


Int = Annotated[int, BeforeValidator(_no_boolean)]
Float = Annotated[float, BeforeValidator(_no_boolean)]


def flagged(kind: type, flag: Flag, prefix: str = "") -> Iterator[str]:
    """The keys of a dataclass, nested ones included, whose type has a flag."""
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if flag in getattr(hint, "__metadata__", ()):
            yield f"{prefix}{name}"
        if is_dataclass(hint):
            yield from flagged(hint, flag, f"{prefix}{name}.")  # type: ignore[arg-type]


def defaults(kind: type, prefix: str = "") -> dict[str, Any]:
    """The settings that configurations of earlier versions may lack, and their values."""
    return {
        f"{prefix}{item.name}": item.default_factory()
        if item.default_factory is not MISSING
        else item.default
        for item in fields(kind)
        if item.default is not MISSING or item.default_factory is not MISSING
    }


def typed(kind: type, values: dict[str, Any], prefix: str, also: set[str] | None = None) -> Any:
    """Build a pydantic dataclass from values.

    Args:
        prefix: group of the settings, for messages.
        also: further names to suggest for an unknown key.

    Raises:
        ConfigError: an unknown or missing key, a wrong type, a value out of range.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        found = error.errors(include_url=False)
        unknown = [item for item in found if item["type"] == "unexpected_keyword_argument"]
        raise ConfigError(_explain(kind, (unknown or found)[0], prefix, also or set())) from error


def _explain(kind: type, error: ErrorDetails, prefix: str, also: set[str]) -> str:
    what, value = error["type"], error["input"]
    path = [str(part) for part in error["loc"] if isinstance(part, str)]
    key = ".".join(filter(None, [prefix, *path]))
    if what == "unexpected_keyword_argument":
        for part in path[:-1]:
            kind = get_type_hints(kind)[part]
        names = [item.name for item in fields(kind)]
        hint = nearest(path[-1], [*names, *sorted(also)])
        return f"{key}: no such setting{hint} (accepted: {', '.join(names)})"
    if what == "missing":
        hint = "; a file of your own can begin with `defaults: [<option>]`" if prefix else ""
        return f"{key}: is missing{hint}"
    options = re.findall(r"'(.*?)'", error["msg"]) if what == "literal_error" else []
    should_be = error["msg"].removeprefix("Input ").partition(" or an instance of ")[0]
    return f"{key}={value}: {should_be}{nearest(value, options)}"
