"""What a sweep prints: its cost before the first job, and a table of the jobs at the end."""

import math
import shutil
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.errors import as_user_errors
from src.report.formatting import setting_text, time_text
from src.runs.reader import read_runs, varying
from src.sweep.forecast import Forecast


def show_forecast(sweep: Path, jobs: str, expected: Forecast, console: Console) -> None:
    """Print the networks, the number of images, the time and the disk space of a sweep's jobs."""
    networks = "; ".join(
        f"{name}: {parameters:,} parameters, {operations / 1e6:,.0f} M multiply-adds"
        for name, parameters, operations in expected.networks
    )
    seconds = expected.seconds
    length = "" if math.isnan(seconds) else f", about {time_text(max(seconds, 1))}"
    free = shutil.disk_usage(sweep).free
    for line in (
        f"sweep {sweep}: {jobs}",
        f"networks: {networks}",
        f"to train on: {expected.images:,} images{length}",
        f"checkpoints: about {_size(expected.disk)} ({_size(free)} free)",
    ):
        console.print(line, highlight=False, soft_wrap=True)


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count, 1e6) / 1e6:.0f} MB"


def show_sweep(sweep: Path, console: Console) -> None:
    """Print a row for each job, and why those that failed did."""
    with as_user_errors():
        runs = read_runs(sweep)
    table = Table(title=Text(f"sweep {sweep}"), title_justify="left")
    table.add_column("job", justify="right")
    table.add_column("settings", overflow="fold")
    table.add_column("state")
    for name in ("val/acc", "test/acc", "seconds"):
        table.add_column(name, justify="right")
    for run, settings in zip(runs, varying(runs), strict=True):
        figures = [_figure(run.metrics.get(key), 4) for key in ("val/acc", "test/acc")]
        seconds = _figure(run.metrics.get("train_seconds"), 0)
        table.add_row(run.path.name, " ".join(map(_short, settings)), run.state, *figures, seconds)
    console.print(table, markup=False)
    for run in runs:
        if run.reason:
            console.print(
                f"job {run.path.name}: {run.reason}", highlight=False, markup=False, soft_wrap=True
            )


def _short(setting: str) -> str:
    key, _, value = setting.partition("=")
    return f"{key}={setting_text(value)}"


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
