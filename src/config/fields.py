"""Dataclass fields with the values they accept: a range, or a set of names."""

import math
from dataclasses import Field, field, fields, is_dataclass
from typing import Any

from src.errors import ConfigError
from src.text import nearest


def number(
    default: Any,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:
    """A number within bounds: ``ge``/``gt`` from below, ``le``/``lt`` from above."""
    bounds = {"at least": ge, "more than": gt, "at most": le, "less than": lt}
    return _with(default, {"bounds": {word: b for word, b in bounds.items() if b is not None}})


def choice(default: Any, *names: str) -> Any:
    """One of the given names."""
    return _with(default, {"names": names})


def _with(default: Any, metadata: dict[str, Any]) -> Any:
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def check_fields(settings: Any, prefix: str) -> None:
    """Check every field of a dataclass instance, nested ones included.

    Raises:
        ConfigError: a value outside its range or not among its names.
    """
    for item in fields(settings):
        value = getattr(settings, item.name)
        key = f"{prefix}.{item.name}" if prefix else item.name
        if is_dataclass(value):
            check_fields(value, key)
        elif value is not None:
            for element in value if isinstance(value, list) else [value]:
                _check_value(key, element, item)


def _check_value(key: str, value: Any, item: Field[Any]) -> None:
    if isinstance(value, list):
        raise ConfigError(f"{key}={value}: a list within a list (accepted: single values)")
    names = item.metadata.get("names")
    if names and value not in names:
        hint = nearest(str(value), names)
        raise ConfigError(f"{key}={value}: not an option{hint} (accepted: {', '.join(names)})")
    for word, bound in item.metadata.get("bounds", {}).items():
        inside = {
            "at least": value >= bound,
            "more than": value > bound,
            "at most": value <= bound,
            "less than": value < bound,
        }[word]
        if not inside:
            accepted = " and ".join(f"{w} {b}" for w, b in item.metadata["bounds"].items())
            raise ConfigError(f"{key}={value}: out of range (accepted: {accepted})")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{key}={value}: not a finite number")
