"""What a sweep prints: its cost before the first job, and a table of the jobs at the end."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from src.console import plain_console
from src.report.formatting import setting_text, time_text
from src.runs.reader import RunSummary, varying
from src.sweep.forecast import Forecast


def show_forecast(sweep: Path, jobs: str, expected: Forecast) -> None:
    """Print the networks, the number of images, the time and the disk space of a sweep's jobs."""
    networks = "; ".join(
        f"{name}: {parameters:,} parameters, {operations / 1e6:,.0f} M multiply-adds"
        for name, parameters, operations in expected.networks
    )
    seconds = expected.seconds
    length = "" if math.isnan(seconds) else f", about {time_text(max(seconds, 1))}"
    free = shutil.disk_usage(sweep).free
    plain_console().print(
        f"sweep {sweep}: {jobs}",
        f"networks: {networks}",
        f"to train on: {expected.images:,} images{length}",
        f"checkpoints: about {_size(expected.disk)} ({_size(free)} free)",
        sep="\n",
        soft_wrap=True,
    )


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count, 1e6) / 1e6:.0f} MB"


def show_sweep(sweep: Path, runs: Sequence[RunSummary]) -> None:
    """Print a row for each job, and why those that failed did."""
    console = plain_console()
    table = Table(title=f"sweep {sweep}", title_justify="left")
    table.add_column("job", justify="right")
    table.add_column("settings", overflow="fold")
    table.add_column("state")
    for name in ("val/acc", "test/acc", "seconds"):
        table.add_column(name, justify="right")
    for run, settings in zip(runs, varying(runs), strict=True):
        figures = [_figure(run.metrics.get(key), 4) for key in ("val/acc", "test/acc")]
        seconds = _figure(run.metrics.get("train_seconds"), 0)
        table.add_row(run.path.name, " ".join(map(_short, settings)), run.state, *figures, seconds)
    console.print(table)
    for run in runs:
        if run.reason:
            console.print(f"job {run.path.name}: {run.reason}", soft_wrap=True)


def _short(setting: str) -> str:
    key, _, value = setting.partition("=")
    return f"{key}={setting_text(value)}"


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
