"""Load run directories as :class:`RunResult`: settings, metrics, curves, hardware."""

import csv
import math
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

from src.errors import UserError, one_line
from src.files import read_json
from src.report.curves import Curve, training_curve, validation_curve
from src.report.varying_settings import SEEDS, Settings, flat_text
from src.runs.directory import RunDirectory
from src.runs.reader import last_values, read_config, read_rows, read_run

DEPTH = 4
"""Levels below a named directory that are looked at: a folder of sweeps of jobs, and two more."""


def find_runs(places: Iterable[Path]) -> dict[str, Path]:
    """The run directories at and below ``places``, each once, in their natural order.

    Nothing inside of a run is taken for another. A numbered directory of a sweep is a run even
    when nothing has been written into it.

    Returns:
        Directories by what tells them apart: their path below the folder they share.

    Raises:
        OSError: a place that cannot be listed.
    """
    found: dict[Path, Path] = {}
    for place in places:
        for path in _below(place, DEPTH):
            found.setdefault(path.resolve(), path)
    if not found:
        return {}
    shared = os.path.commonpath([path.parent for path in found])
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
    if directory.record.exists() or directory.config.exists():
        return True
    return path.name.isdigit() and (path.parent / "multirun.yaml").exists()


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    """So that job 10 comes after job 2."""
    parts = re.findall(r"\d+|\D+", path.name)
    return [(not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts]


FIGURES = (
    "val/acc",
    "val/loss",
    "test/acc",
    "test/loss",
    "train/acc",
    "train/loss",
    "train_seconds",
    "images_per_second",
    "epochs",
    "steps",
    "best_epoch",
)
UNREADABLE = "unreadable"
GRADIENTS = "gradient_norm/"


@dataclass(frozen=True)
class RunResult:
    """One run, as far as it can be read.

    Attributes:
        name: what tells it from the others, a part of its path.
        path: its directory.
        state: that of ``run.json``, or ``unreadable``.
        reason: why it is not finished or not readable, one line.
        settings: every one that the result may depend on, seeds included.
        figures: those of ``metrics.json`` that are finite numbers; none unless it is finished.
        progress: the newest of its epochs and validation figures.
        curves: by name: ``val/acc``, ``val/loss``, ``train/loss``.
        speed: images a second, the median of what was logged: a machine that is busy for a while
            does not change it.
        gradients: the mean norm of the gradient of each stage, from the stem on.
        validated_on: ``validation`` or ``test``; None where that is not known.
        source: which data set it was trained on.
        commit: of the code, with a ``+`` where files had changed.
        hardware: what it was computed by.
        precision: that it was computed in.
        overrides: what its command line changed, and those it was resumed with.
        damaged: what else of it could not be read, one line.
    """

    name: str
    path: Path
    state: str
    reason: str | None = None
    settings: Settings = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    progress: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    speed: float | None = None
    gradients: Mapping[str, float] = field(default_factory=dict)
    validated_on: str | None = None
    source: str | None = None
    commit: str | None = None
    hardware: str | None = None
    precision: str | None = None
    overrides: tuple[str, ...] = ()
    damaged: str | None = None

    @property
    def seeds(self) -> tuple[str | None, ...]:
        """Seed of the run and seed of its split."""
        return tuple(self.settings.get(key) for key in SEEDS)

    @property
    def is_finished(self) -> bool:
        """Whether it enters the means."""
        return self.state == "finished"


def load_results(name: str, path: Path) -> RunResult | None:
    """Read the run in a directory; what is damaged makes an ``unreadable`` one, not an error.

    Returns:
        The run; None for a directory of another command, a benchmark.
    """
    try:
        return _read(name, path)
    except (OSError, ValueError, TypeError, KeyError, OverflowError, UserError) as error:
        return RunResult(name, path, UNREADABLE, one_line(error).replace(f"{path}/", ""))


def _read(name: str, path: Path) -> RunResult | None:
    directory = RunDirectory(path)
    cfg = read_config(directory) if directory.config.exists() else None
    if cfg is not None and "benchmark" in cfg:
        return None
    record = read_json(directory.record)
    summary = read_run(path)
    _check_whole(directory, summary.state)
    rows, damaged = _rows(directory)
    newest = last_values(rows)
    speeds = [row["images_per_second"] for row in rows if "images_per_second" in row]
    return RunResult(
        name=name,
        path=path,
        state=str(summary.state),
        reason=str(summary.reason) if summary.reason else None,
        settings=flat_text(cfg) if cfg is not None else {},
        figures=_figures(summary.metrics) if summary.state == "finished" else {},
        progress={key: newest[key] for key in ("epoch", "val/acc", "val/loss") if key in newest},
        curves={
            "val/acc": validation_curve(rows, "val/acc"),
            "val/loss": validation_curve(rows, "val/loss"),
            "train/loss": training_curve(rows),
        },
        speed=median(speeds) if speeds else None,
        gradients=_gradients(rows),
        validated_on=_fact(record, "data", "validate_on"),
        source=_fact(record, "data", "source"),
        commit=_commit(record),
        hardware=_hardware(record),
        precision=_fact(record, "compute", "precision"),
        overrides=_overrides(summary.overrides, record),
        damaged=damaged,
    )


def _check_whole(directory: RunDirectory, state: str) -> None:
    """What has not begun may lack files, what has ended may not."""
    needed = {
        "finished": [directory.record, directory.config, directory.metrics],
        "failed": [directory.record],
    }
    for file in needed.get(state, []):
        if not file.exists():
            raise ValueError(f"{file.relative_to(directory.path)}: not there")


def _figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for key in FIGURES:
        value = metrics.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise ValueError(f"metrics.json: {key} is {value!r}, not a number")
        if value is not None and value < 0:
            raise ValueError(f"metrics.json: {key} is {value!r}, below 0")
        if value is not None and math.isfinite(value):
            found[key] = float(value)
    return found


def _rows(directory: RunDirectory) -> tuple[list[dict[str, float]], str | None]:
    """The logged rows, or why there are none; the final figures stand elsewhere."""
    try:
        return read_rows(directory), None
    except (ValueError, TypeError, OSError, csv.Error) as error:
        return [], f"{directory.rows.name}: {one_line(error)}"


def _overrides(words: Sequence[str], record: Mapping[str, Any]) -> tuple[str, ...]:
    """A run that was resumed with other settings is the run of those."""
    found = {word.partition("=")[0]: word for word in words}
    for again in record.get("resumed") or ():
        for word in shlex.split(again["command"])[3:]:
            key = word.partition("=")[0]
            if key not in ("resume", "trust"):
                found[key] = word
    return tuple(found.values())


def _gradients(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """``stem``, ``layer1`` and so on, in the order of depth, which their columns begin with."""
    names = sorted({name for row in rows for name in row if name.startswith(GRADIENTS)})
    found = {name: [row[name] for row in rows if name in row] for name in names}
    return {
        name.partition("_")[2].partition("_")[2]: fmean(values) for name, values in found.items()
    }


def _fact(record: Mapping[str, Any], *keys: str) -> str | None:
    node: Any = record
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    return None if node is None else str(node)


def _commit(record: Mapping[str, Any]) -> str | None:
    commit = _fact(record, "commit")
    changed = "+" if record.get("uncommitted_changes") else ""
    return commit and commit[:7] + changed


def _hardware(record: Mapping[str, Any]) -> str | None:
    gpu, cpu = _fact(record, "compute", "gpu"), _fact(record, "hardware", "cpu")
    if gpu or not cpu:
        return gpu
    threads = _fact(record, "compute", "threads")
    return f"{cpu}, {threads} thread{'' if threads == '1' else 's'}" if threads else cpu
