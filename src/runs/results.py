"""Reading finished and unfinished runs back from their directories."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.files import read_json
from src.runs.directory import RunDirectory


@dataclass(frozen=True)
class RunSummary:
    """How one run went.

    Attributes:
        path: the run directory.
        state: ``running``, ``finished``, ``failed`` or ``interrupted``.
        reason: why it failed or stopped, one line.
        overrides: what its command line changed.
        metrics: its final figures; empty while it runs or when it failed.
    """

    path: Path
    state: str
    reason: str | None
    overrides: tuple[str, ...]
    metrics: dict[str, Any]


def read_runs(sweep: Path) -> list[RunSummary]:
    """The runs of a sweep: its numbered directories in order, then others that hold a run."""
    folders = [
        item
        for item in sweep.glob("*")
        if item.is_dir() and (item.name.isdigit() or RunDirectory(item).record.exists())
    ]

    def order(folder: Path) -> tuple[bool, int, str]:
        numbered = folder.name.isdigit()
        return not numbered, int(folder.name) if numbered else 0, folder.name

    return [read_run(folder) for folder in sorted(folders, key=order)]


def read_run(path: Path) -> RunSummary:
    """The run in one directory; ``failed`` when it never wrote a record."""
    directory = RunDirectory(path)
    record = read_json(directory.record)
    return RunSummary(
        path=path,
        state=record.get("state", "failed"),
        reason=record.get("reason"),
        overrides=_overrides(directory),
        metrics=read_json(directory.metrics),
    )


def _overrides(directory: RunDirectory) -> tuple[str, ...]:
    if not directory.overrides.exists():
        return ()
    # Hydra's file is a list of plain strings, a line each.
    lines = directory.overrides.read_text().splitlines()
    return tuple(line.removeprefix("- ") for line in lines if line.startswith("- "))


def varying(runs: Sequence[RunSummary]) -> list[tuple[str, ...]]:
    """Of each run, the overrides that not all of them have."""
    common = set.intersection(*(set(run.overrides) for run in runs)) if len(runs) > 1 else set()
    return [tuple(word for word in run.overrides if word not in common) for run in runs]


def read_rows(directory: RunDirectory) -> list[dict[str, float]]:
    """The logged rows in order, each with just the figures it has."""
    if not directory.rows.exists():
        return []
    with directory.rows.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("step")]
        return [{key: float(value) for key, value in row.items() if value} for row in rows]


def last_values(rows: list[dict[str, float]]) -> dict[str, float]:
    """The newest value of each figure."""
    newest: dict[str, float] = {}
    for row in rows:
        newest |= row
    return newest


def best_row(rows: list[dict[str, float]], name: str) -> dict[str, float]:
    """The figures of the epoch in which ``name`` was best; the first one of equals."""
    if name.startswith("train/"):
        name = f"{name}_epoch"
    found = [row for row in rows if name in row]
    if not found:
        return {}
    pick = max if name.removesuffix("_epoch").endswith("acc") else min
    return _epoch(rows, pick(found, key=lambda row: row[name])["epoch"])


def _epoch(rows: list[dict[str, float]], epoch: float) -> dict[str, float]:
    """All figures of an epoch, those at its end over earlier ones."""
    merged: dict[str, float] = {}
    for row in rows:
        if row.get("epoch") == epoch:
            merged |= row
    return merged
