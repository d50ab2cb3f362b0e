"""Which settings make a run what it is, and which only say how it is carried out."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["flatten", "is_incidental", "key_of"]

INCIDENTAL = (
    "callbacks.model_summary",
    "callbacks.progress_bar",
    "data.cache_dir",
    "data.download",
    "data.eval_batch_size",
    "data.num_workers",
    "data.resident",
    "logger",
    "objective",
    "resume",
    "sweep",
    "trainer.log_every_n_steps",
)
"""Settings, and groups of them, that change nothing of what is learned or measured."""

ADDED: dict[str, Any] = {"data.exclude": [], "scheduler.total_epochs": None}
"""Settings that are newer than version 0.1, with the value at which a run is as it was without."""

DIGITS = 16


def is_incidental(key: str) -> bool:
    """Whether a setting, ``group.key``, only says how a run is carried out."""
    return any(key == name or key.startswith(f"{name}.") for name in INCIDENTAL)


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as ``group.key`` pairs; lists stay whole."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def key_of(settings: Mapping[str, Any]) -> str:
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
