"""Hash of the settings that affect a run's result: what tells one run from another."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from src.config.fields import Flag
from src.config.schema import TrainConfig, added_settings, settings_with

INCIDENTAL = {*settings_with(Flag.INCIDENTAL), "logger", "search"}
"""Settings, and groups of them, that change nothing of what is learned or measured."""

ADDED = added_settings()

DIGITS = 16


def is_incidental(key: str) -> bool:
    """Whether a setting, ``group.key``, only says how a run is carried out."""
    return key in INCIDENTAL


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
    """What tells a run from others: a hash of its settings, the incidental ones left out.

    Args:
        settings: the resolved configuration, plain values in nested mappings.

    Returns:
        16 hexadecimal digits of SHA-256.
    """
    flat = {
        key: value
        for key, value in flatten(settings).items()
        if not is_incidental(key) and (key not in ADDED or value != ADDED[key])
    }
    text = json.dumps(flat, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def flat_settings(config: TrainConfig) -> dict[str, str | float | bool]:
    """The configuration as flat ``group.key`` pairs of plain values."""
    return {
        key: value if isinstance(value, (bool, int, float, str)) else str(value)
        for key, value in flatten(_nested(config)).items()
    }


def _nested(config: TrainConfig) -> dict[str, Any]:
    """Groups of settings by name, and the settings that belong to none before them."""
    groups = asdict(config)
    top: dict[str, Any] = groups.pop("run")
    if config.benchmark is None:
        del groups["benchmark"]
    return {**top, **groups}
