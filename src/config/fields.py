"""Types and flags of settings, and pydantic's errors about them in one line."""

import re
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, get_args, get_type_hints

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
        raise PydanticCustomError("number_type", "a number is needed")
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


_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def _bounds_in_words(hint: Any) -> Iterator[str]:
    for item in getattr(hint, "__metadata__", ()):
        for name, word in _BOUNDS.items():
            bound = getattr(item, name, None)
            if bound is not None:
                yield f"{word} {bound:g}"
    for part in get_args(hint):
        yield from _bounds_in_words(part)


def _explain(kind: type, error: ErrorDetails, prefix: str, also: set[str]) -> str:
    what, value = error["type"], error["input"]
    path = [str(part) for part in error["loc"] if isinstance(part, str)]
    key = ".".join(filter(None, [prefix, *path]))
    for part in path[:-1]:
        kind = get_type_hints(kind)[part]
    if what == "unexpected_keyword_argument":
        names = [item.name for item in fields(kind)]
        hint = nearest(path[-1], [*names, *sorted(also)])
        return f"{key}: no such setting{hint} (accepted: {', '.join(names)})"
    if what == "missing":
        hint = "; a file of your own can begin with `defaults: [<option>]`" if prefix else ""
        return f"{key}: is missing{hint}"
    if what == "literal_error":
        names = ["".join(name) for name in re.findall(r"'(.*?)'|(\d+)", error["ctx"]["expected"])]
        hint = nearest(str(value), names)
        return f"{key}={value}: not an option{hint} (accepted: {', '.join(names)})"
    if what.startswith(("greater_than", "less_than")):
        hint = get_type_hints(kind, include_extras=True)[path[-1]]
        accepted = " and ".join(dict.fromkeys(_bounds_in_words(hint)))
        return f"{key}={value}: out of range (accepted: {accepted})"
    if what == "finite_number":
        return f"{key}={value}: not a finite number"
    for start, expected in _EXPECTED.items():
        if what.startswith(start):
            return f"{key}={value}: {expected} is needed"
    return f"{key}={value}: {error['msg']}"


_EXPECTED = {
    "int": "an integer",
    "float": "a number",
    "number": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list, [<value>,…],",
    "dataclass": "a group of settings",
}
