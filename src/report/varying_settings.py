"""Settings as text: in which of them runs differ, and how they are shown."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config.run_key import flatten, is_incidental
from src.config.validate import CONF

SEEDS = ("seed", "data.split_seed")
"""What runs of one group differ in."""

ABSENT = "–"
"""Stands for a setting that a run does not have."""

Settings = Mapping[str, str]


def flat_text(cfg: DictConfig) -> dict[str, str]:
    """A run's configuration as dotted keys and values as they are typed; seeds included."""
    try:
        nested = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException:
        # Refers to something outside of the file: the reference tells runs apart as well.
        nested = OmegaConf.to_container(cfg)
    assert isinstance(nested, dict)
    return as_text(flatten({str(key): value for key, value in nested.items()}))


def as_text(settings: Mapping[str, Any]) -> dict[str, str]:
    """Flat settings as they are typed, without those that decide nothing."""
    return {key: _typed_text(value) for key, value in settings.items() if not is_incidental(key)}


def varying(runs: Sequence[Settings]) -> list[str]:
    """The settings in which runs differ, seeds left out, in the order of the configuration.

    Where options of a group are compared (``optimizer=sgd,adamw``), what follows from the option
    is no column: settings that only one of them has, and those that all runs leave at what the
    option's file says. Neither is what a data set brings with it: its place, its mean, its size.
    """
    keys = list(dict.fromkeys(key for settings in runs for key in settings if key not in SEEDS))
    values = {key: {settings[key] for settings in runs if key in settings} for key in keys}
    found = []
    for key in keys:
        missing = any(key not in settings for settings in runs)
        varies = len(values[key]) > 1 or (missing and not _follows(key, values))
        if varies and not _is_of_data_set(key, runs) and not _is_as_in_file(key, runs):
            found.append(key)
    return found


def _follows(key: str, values: Mapping[str, set[str]]) -> bool:
    group = key.partition(".")[0]
    return any(len(values.get(f"{group}.{name}", ())) > 1 for name in ("name", "_target_"))


def _is_as_in_file(key: str, runs: Sequence[Settings]) -> bool:
    """Whether all runs have a setting as the file of their option does."""
    group, _, name = key.partition(".")
    if name == "name":
        return False
    options = [(settings.get(f"{group}.name"), settings.get(key)) for settings in runs]
    return all(value == _in_file(group, option).get(key) for option, value in options)


@functools.cache
def _in_file(group: str, option: str | None) -> Settings:
    """What the file of an option sets; nothing for one without a file."""
    path = CONF / group / f"{option}.yaml"
    if not path.is_file():
        return {}
    return flat_text(OmegaConf.create({group: OmegaConf.load(path)}))


def _is_of_data_set(key: str, runs: Sequence[Settings]) -> bool:
    """Whether a setting of ``data`` has one value for each data set."""
    name = "data.name"
    if not key.startswith("data.") or key == name:
        return False
    pairs = {(settings.get(name), settings.get(key)) for settings in runs}
    return len(pairs) == len({settings.get(name) for settings in runs})


def label(key: str) -> str:
    """A setting as it is typed: a group's option by the name of the group."""
    return key.removesuffix(".name")


def shown(value: str) -> str:
    """A value to look at: of a number four digits, which tell what a search drew."""
    try:
        return f"{float(value):.4g}" if "." in value else value
    except ValueError:
        return value


def _typed_text(value: Any) -> str:
    """A value in Hydra's words; equal numbers are equal text."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, list):
        return f"[{','.join(map(_typed_text, value))}]"
    return str(value)
