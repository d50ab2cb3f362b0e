"""Reading of runs from their directories: record, configuration, metrics."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config.run_key import is_incidental
from src.errors import UserError, one_line
from src.files import read_json
from src.runs.directory import RunDirectory, job_folders
from src.runs.lock import is_locked


def read_config(directory: RunDirectory) -> DictConfig:
    """Read a run's ``.hydra/config.yaml``."""
    try:
        with directory.config.open() as file:
            # Nested aliases may expand to more than memory holds.
            if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(file)):
                raise ValueError("it has YAML aliases, which Hydra does not write")
        cfg = OmegaConf.load(directory.config)
    except (OSError, ValueError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{directory.config}: cannot be read ({one_line(error)})") from error
    if not isinstance(cfg, DictConfig):
        raise UserError(f"{directory.config}: holds no configuration")
    return cfg


@dataclass(frozen=True)
class RunSummary:
    """State and final metrics of a run.

    ``state`` is ``waiting`` (not begun), ``running``, ``finished``, ``failed``, ``interrupted`` or
    ``killed`` (``running`` by its record, without a process).
    """

    path: Path
    state: str
    reason: str | None  # cause of a failure or an interruption, in one line
    overrides: tuple[str, ...]  # ``key=value`` words of its command line
    metrics: dict[str, Any]  # those of ``metrics.json``; empty unless the run is finished


def read_runs(sweep: Path) -> list[RunSummary]:
    """The runs of a sweep: those in numbered directories, in order, then all others."""
    others = sorted(record.parent for record in sweep.glob("*/run.json"))
    return [read_run(folder) for folder in dict.fromkeys([*job_folders(sweep), *others])]


def read_run(path: Path) -> RunSummary:
    """The state and the metrics of a run; raise ValueError if a file of it is damaged."""
    directory = RunDirectory(path)
    record = read_json(directory.record)
    state = record.get("state", "waiting" if directory.job.exists() else "failed")
    reason = record.get("reason")
    if state == "running" and not is_locked(directory):
        state = "killed"
        reason = "its process ended without an error message (killed, or out of memory)"
    return RunSummary(path, state, reason, _overrides(directory), read_json(directory.metrics))


def _overrides(directory: RunDirectory) -> tuple[str, ...]:
    if not directory.overrides.exists():
        return tuple(read_json(directory.job).get("overrides", ()))
    words = _read_yaml(directory.overrides) or ()
    # A node that refers to itself many times over would be endless as text.
    return tuple(word for word in words if isinstance(word, str))


def read_choices(directory: RunDirectory) -> dict[str, str]:
    """The option that was chosen of each group, ``model: resnet20``, as Hydra noted it."""
    if not directory.hydra.exists():
        return {}
    try:
        choices = _read_yaml(directory.hydra)["hydra"]["runtime"]["choices"].items()
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{directory.hydra}: holds no choices of Hydra's") from error
    return {
        group: option for group, option in choices if isinstance(option, str) and option != "null"
    }


def _read_yaml(path: Path) -> Any:
    """What a file of Hydra's holds, every scalar as text."""
    try:
        return yaml.load(path.read_text(), yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read ({one_line(error)})") from error


def varying(runs: Sequence[RunSummary]) -> list[tuple[str, ...]]:
    """Of each run, the overrides that affect its result and that not all runs have."""
    common = set.intersection(*(set(run.overrides) for run in runs)) if len(runs) > 1 else set()

    def differs(override: str) -> bool:
        key = override.lstrip("+").partition("=")[0]
        return override not in common and not is_incidental(key)

    return [tuple(filter(differs, run.overrides)) for run in runs]


def read_rows(directory: RunDirectory) -> list[dict[str, float]]:
    """The rows of ``metrics.csv`` without their empty cells."""
    if not directory.rows.exists():
        return []
    with directory.rows.open(newline="", errors="replace") as file:
        rows = [row for row in csv.DictReader(file) if row.get("step")]
        return [{key: float(value) for key, value in row.items() if value} for row in rows]


def last_values(rows: list[dict[str, float]]) -> dict[str, float]:
    """The last value of each metric."""
    newest: dict[str, float] = {}
    for row in rows:
        newest |= row
    return newest


def best_row(rows: list[dict[str, float]], name: str) -> dict[str, float]:
    """The metrics of the epoch with the best value of ``name``, the first of equal ones."""
    if name.startswith("train/"):
        name = f"{name}_epoch"
    found = [row for row in rows if name in row]
    if not found:
        return {}
    pick = max if name.removesuffix("_epoch").endswith("acc") else min
    epoch = pick(found, key=lambda row: row[name])["epoch"]
    return last_values([row for row in rows if row.get("epoch") == epoch])
