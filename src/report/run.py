"""Compare the runs of sweeps, write the report, print its leaderboard."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override
from rich.console import Console

from src.config.schema import ReportConfig
from src.errors import ConfigError, UserError, as_user_errors
from src.files import output_folder, replacing
from src.report import tables
from src.report.charts import picture
from src.report.comparison import Comparison, build_comparison
from src.report.page import page
from src.report.results_document import results_document
from src.runs.directory import SWEEPS
from src.text import nearest

Files = Mapping[str, Callable[[Comparison], str | bytes]]

COMPARISON: Files = {
    "report.csv": tables.groups_csv,
    "runs.csv": tables.runs_csv,
    "report.md": tables.markdown,
    "report.tex": tables.latex,
    "report.html": page,
}
FORMATS: dict[str, Files] = {
    "all": COMPARISON,
    "results": {"results.md": results_document},
    "figure": {"figure.png": picture},
}


def run(settings: ReportConfig, changes: list[Override]) -> int:
    """Write the report and print it; returns the exit code."""
    if changes:
        raise ConfigError(
            f"{changes[0].input_line}: a report is of what was trained; it takes no images"
        )
    places = [_place(name) for name in settings.sweep]
    output = Path(settings.output).expanduser() if settings.output else None
    report = write_report(places, settings.metric, output, FORMATS[settings.format])
    show_report(report, Console())
    return 0


def write_report(
    sweeps: Sequence[Path],
    metric: str = "val/acc",
    output: Path | None = None,
    files: Files = COMPARISON,
) -> Comparison:
    """Compare runs and write the report, replacing an earlier one.

    Args:
        sweeps: sweeps, runs, or folders of them; may still be running.
        output: the folder of the report; None: ``report/`` in the first of the sweeps.
        files: what to write into it, by name.
    """
    output = output or sweeps[0] / "report"
    with as_user_errors():
        report = build_comparison(sweeps, metric, output)
    with output_folder(None, output):
        for name, make in files.items():
            with replacing(output / name, "wb") as file:
                content = make(report)
                # In UTF-8 whatever the locale; names of files may hold bytes that are no text.
                text = content if isinstance(content, bytes) else content.encode(errors="replace")
                file.write(text)
    return report


def show_report(report: Comparison, console: Console) -> None:
    """Print the leaderboard, what it means, and the runs that are not in it."""
    lines = [tables.summary(report), *tables.sentences(report)]
    for run in tables.unfinished_table(report).cells.itertuples():
        where = ", ".join(filter(None, [run.state, run.progress]))
        what = " – ".join(filter(None, [run.settings, run.reason]))
        lines.append(": ".join(filter(None, [f"run {run.run} ({where})", what])))
    lines.append(f"report in {report.output}")
    if report.groups:
        console.print(tables.terminal(report, console), crop=False)
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _place(name: str) -> Path:
    """The directory that is meant: a path, or a name below ``outputs/sweep``."""
    path = Path(name).expanduser()
    for candidate in (path, SWEEPS / path):
        if candidate.is_dir():
            return candidate
    known = [item.name for item in SWEEPS.iterdir()] if SWEEPS.is_dir() else []
    several = "; several are written sweep=[<one>,<another>]" if "," in name else ""
    raise UserError(
        f"sweep={name}: no such directory, and no sweep of that name in {SWEEPS}"
        f"{nearest(name, known)}{several}"
    )
