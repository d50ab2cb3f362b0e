"""Reading of run directories as :class:`RunResult`: settings, metrics, curves, hardware."""

import csv
import math
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config.run_key import flatten, is_incidental
from src.errors import UserError, one_line
from src.files import read_json
from src.report.formatting import ABSENT
from src.runs.directory import RunDirectory
from src.runs.reader import last_values, read_choices, read_config, read_rows, read_run

DEPTH = 4  # levels searched below a named directory: a folder of sweeps of jobs, and two more
SEEDS = ("seed", "data.split_seed")  # the settings in which runs of one group differ
FIGURES = (
    *("val/acc", "val/loss", "test/acc", "test/loss", "train/acc", "train/loss"),
    *("train_seconds", "images_per_second", "epochs", "steps", "best_epoch"),
)
CURVES = ("val/acc", "val/loss")
POINTS = 300  # most points of a training curve; a longer one is thinned


@dataclass(frozen=True)
class RunResult:
    """One run, as far as it can be read."""

    name: str  # its path below the folder that all runs share
    path: Path
    state: str  # that of run.json, or "unreadable"
    reason: str | None = None  # why it is not finished or not readable, one line
    settings: Mapping[str, str] = field(default_factory=dict)  # flat, without incidental ones
    overrides: tuple[str, ...] = ()  # of its command line, and of those it was resumed with
    choices: Mapping[str, str] = field(default_factory=dict)  # options of groups, and typed words
    figures: Mapping[str, float] = field(default_factory=dict)  # final metrics, if finished
    progress: Mapping[str, float] = field(default_factory=dict)  # newest epoch and validation
    curves: Mapping[str, "pd.Series[float]"] = field(default_factory=dict)  # by epochs done
    speed: float = math.nan  # images/s, the median, which a pause or a busy machine hardly changes
    gradients: Mapping[str, float] = field(default_factory=dict)  # mean norm of each stage
    facts: Mapping[str, str] = field(default_factory=dict)  # run.json, flat: data.source and so on
    damaged: str | None = None  # why it has no curves, one line

    def setting(self, key: str) -> str:
        """A setting, or the option of a group, as it is typed."""
        known = {**self.choices, **self.settings}
        return known.get(key, known.get(f"{key}.name", ABSENT))

    @property
    def seeds(self) -> tuple[str | None, ...]:
        """Seed of the run and seed of its split."""
        return tuple(self.settings.get(key) for key in SEEDS)

    @property
    def is_finished(self) -> bool:
        """Whether it enters the means."""
        return self.state == "finished"

    @property
    def commit(self) -> str | None:
        """Commit of the code, with a ``+`` for uncommitted changes."""
        changed = self.facts.get("uncommitted_changes") == "True"
        commit = self.facts.get("commit")
        return commit and commit[:7] + ("+" if changed else "")

    @property
    def hardware(self) -> str | None:
        """The GPU, or the CPU and its number of threads."""
        gpu, cpu = self.facts.get("compute.gpu"), self.facts.get("hardware.cpu")
        threads = self.facts.get("compute.threads")
        if gpu or not cpu or not threads:
            return gpu or cpu
        return f"{cpu}, {threads} thread{'' if threads == '1' else 's'}"


def find_runs(places: Iterable[Path]) -> dict[str, Path]:
    """Find the run directories at and below ``places``, by their path below the folder they share.

    Each is found once, in natural order. Directories inside of a run are not searched. A numbered
    directory of a sweep is a run even if it is empty.
    """
    found: dict[Path, Path] = {}
    for place in places:
        for path in _below(place, DEPTH):
            found.setdefault(path.resolve(), path)
    shared = os.path.commonpath([path.parent for path in found]) if found else ""
    return {os.path.relpath(real, shared): path for real, path in found.items()}


def _below(place: Path, depth: int) -> list[Path]:
    try:
        if _is_run(place):
            return [place]
        folders = [item for item in place.iterdir() if item.is_dir() and item.name[0] != "."]
    except PermissionError:
        if depth == DEPTH:
            raise
        return [place]  # to be listed as unreadable, not left out
    if not depth:
        return []
    return [run for folder in sorted(folders, key=_natural) for run in _below(folder, depth - 1)]


def _is_run(path: Path) -> bool:
    directory = RunDirectory(path)
    is_job = path.name.isdigit() and (path.parent / "multirun.yaml").exists()
    return is_job or directory.record.exists() or directory.config.exists()


def _natural(path: Path) -> tuple[list[Any], str]:
    """Sort key by which job 10 comes after job 2."""
    parts = re.split(r"(\d+)", path.name)  # text and numbers by turns
    return [int(part) if part.isdecimal() else part for part in parts], path.name


def load_result(name: str, path: Path) -> RunResult | None:
    """Read the run in a directory; a damaged one is ``unreadable``, and a benchmark is None."""
    try:
        return _read(name, path)
    except (OSError, ValueError, TypeError, KeyError, OverflowError, UserError) as error:
        return RunResult(name, path, "unreadable", one_line(error).replace(f"{path}/", ""))


def _read(name: str, path: Path) -> RunResult | None:
    directory = RunDirectory(path)
    cfg = read_config(directory) if directory.config.exists() else OmegaConf.create()
    if "benchmark" in cfg:
        return None
    record = read_json(directory.record)
    summary = read_run(path)
    is_finished = summary.state == "finished"
    needed = [] if summary.state == "waiting" else [directory.record]
    needed += [directory.config, directory.metrics] if is_finished else []
    for file in needed:
        if not file.exists():
            raise ValueError(f"{file.relative_to(path)}: not there")
    overrides = _overrides(summary.overrides, record)
    try:
        rows, damaged = read_rows(directory), None
    except (ValueError, TypeError, OSError, csv.Error) as error:
        rows, damaged = [], f"{directory.rows.name}: {one_line(error)}"
    newest = last_values(rows)
    table = pd.DataFrame(rows)
    curves = {key: validation_curve(table, key) for key in CURVES}
    curves["train/loss"] = training_curve(table)
    norms = table.filter(like="gradient_norm/").sort_index(axis="columns").mean()
    return RunResult(
        name=name,
        path=path,
        state=str(summary.state),
        reason=str(summary.reason) if summary.reason else None,
        settings=flat_text(cfg),
        overrides=overrides,
        choices=_choices(directory, overrides),
        figures=_figures(summary.metrics) if is_finished else {},
        progress={key: newest[key] for key in ("epoch", *CURVES) if key in newest},
        curves={key: curve for key, curve in curves.items() if len(curve)},
        speed=table.get("images_per_second", pd.Series(dtype=float)).median(),
        # gradient_norm/1_stem, gradient_norm/2_layer1 and so on
        gradients={key.partition("_")[2].partition("_")[2]: norm for key, norm in norms.items()},
        facts={key: str(fact) for key, fact in flatten(record).items() if fact is not None},
        damaged=damaged,
    )


def _figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    found = {key: metrics[key] for key in FIGURES if metrics.get(key) is not None}
    for key, value in found.items():
        if type(value) not in (int, float) or -math.inf < value < 0:
            raise ValueError(
                f"metrics.json: {key} is {str(value)[:20]!r}, not a number of 0 or more"
            )
    return {key: float(value) for key, value in found.items() if math.isfinite(value)}


def setting_name(word: str) -> str:
    """The setting that a word changes: ``model.width`` of ``+model.width=64``."""
    return word.lstrip("+~").partition("=")[0]


def _overrides(words: Sequence[str], record: Mapping[str, Any]) -> tuple[str, ...]:
    """The overrides in effect: those of a resumed run replace its first ones."""
    found = {word.partition("=")[0]: word for word in words}
    for again in record.get("resumed") or ():
        for word in shlex.split(again["command"])[3:]:
            key = word.partition("=")[0]
            if key not in ("resume", "trust"):
                found[key] = word
    return tuple(found.values())


def _choices(directory: RunDirectory, overrides: Iterable[str]) -> dict[str, str]:
    """The option of each group, ``model: resnet20``; only the typed ones without ``hydra.yaml``."""
    typed = {setting_name(word): word.partition("=")[2] or "~" for word in overrides}
    chosen = read_choices(directory) | typed
    return {key: text for key, text in chosen.items() if not key.startswith("hydra")}


def flat_text(cfg: DictConfig) -> dict[str, str]:
    """A run's configuration as dotted keys and values as they are typed; seeds included."""
    try:
        nested: Any = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException:
        # Refers to something outside of the file: the reference tells runs apart as well.
        nested = OmegaConf.to_container(cfg)
    return {
        key: _typed_text(value) for key, value in flatten(nested).items() if not is_incidental(key)
    }


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


def validation_curve(rows: "pd.DataFrame", name: str) -> "pd.Series[float]":
    """``val/acc`` or ``val/loss`` at the end of each epoch that has it; the first is epoch 1."""
    points = rows.reindex(columns=["epoch", name]).dropna().drop_duplicates("epoch", keep="last")
    return points.set_index(points["epoch"] + 1)[name]


def training_curve(rows: "pd.DataFrame") -> "pd.Series[float]":
    """``train/loss`` over parts of epochs; of many readings the means of neighbors."""
    rows = rows.reindex(columns=["step", "epoch", "train/loss", "train/loss_epoch"])
    points = rows.dropna(subset="train/loss").drop_duplicates("step", keep="last")
    if points.empty:
        return points["train/loss"]
    ends = rows.dropna(subset=["epoch", "train/loss_epoch"])
    done = (rows.fillna({"epoch": 0}).sort_values("step") if ends.empty else ends).iloc[-1]
    steps_per_epoch = (done["step"] + 1) / (done["epoch"] + 1)
    size = math.ceil(len(points) / POINTS)
    neighbors = points.groupby(np.arange(len(points)) // size)
    # A mean stands at the last of its readings: the curve ends where the training did.
    ends_at = (neighbors["step"].last() + 1) / steps_per_epoch
    return neighbors["train/loss"].mean().set_axis(ends_at)
