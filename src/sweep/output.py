"""Table at the end of a sweep."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.errors import as_user_errors
from src.report.formatting import setting_text
from src.runs.reader import read_runs, varying


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
        figures = [_figure(run.metrics.get(key)) for key in ("val/acc", "test/acc")]
        seconds = run.metrics.get("train_seconds")
        figures.append("" if seconds is None else f"{seconds:.0f}")
        table.add_row(run.path.name, " ".join(map(_short, settings)), run.state, *figures)
    console.print(table, markup=False)
    for run in runs:
        if run.reason:
            console.print(
                f"job {run.path.name}: {run.reason}", highlight=False, markup=False, soft_wrap=True
            )


def _short(setting: str) -> str:
    key, _, value = setting.partition("=")
    return f"{key}={setting_text(value)}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
