"""Identity of a run: a hash of the settings that affect its result."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from src.config.fields import Flag
from src.config.schema import TrainConfig, added_settings, settings_with

INCIDENTAL_KEYS = {*settings_with(Flag.INCIDENTAL), "logger", "search"}
"""Settings and groups that change neither what is learned nor what is measured."""

ADDED = added_settings()


def is_incidental(key: str) -> bool:
    """Whether a setting, ``group.key``, has no effect on the result of a run."""
    return key in INCIDENTAL_KEYS


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as ``group.key`` pairs; lists stay whole."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def run_key(settings: Mapping[str, Any]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the settings, without incidental ones.

    Args:
        settings: the resolved configuration.
    """
    flat = {
        key: value
        for key, value in flatten(settings).items()
        if not is_incidental(key) and (key not in ADDED or value != ADDED[key])
    }
    text = json.dumps(flat, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def flat_settings(config: TrainConfig) -> dict[str, str | float | bool]:
    """The configuration as ``group.key`` pairs of plain values."""
    return {
        key: value if isinstance(value, (bool, int, float, str)) else str(value)
        for key, value in flatten(nested_settings(config)).items()
    }


def nested_settings(config: TrainConfig) -> dict[str, Any]:
    """The configuration as in ``conf/``: the settings outside of groups, then the groups."""
    groups = asdict(config)
    top: dict[str, Any] = groups.pop("run")
    if config.benchmark is None:
        del groups["benchmark"]
    return top | groups
