"""Tables of a report as rows of text: leaderboard, runs, unfinished runs."""

from dataclasses import dataclass

from src.report.comparison import Comparison
from src.report.formatting import (
    counted,
    heading,
    interval_text,
    mean_text,
    time_text,
    time_unit,
    value_text,
)
from src.report.groups import ALL, Group
from src.report.load import RunResult
from src.report.varying_settings import ABSENT, SEEDS, label, shown

RUN_FIGURES = ("val/acc", "val/loss", "test/acc", "test/loss", "train/acc", "train/loss")


@dataclass(frozen=True)
class Cells:
    """A table.

    Attributes:
        headers: K titles.
        rows: K cells each.
        words: how many of the first columns are words; the others are figures.
    """

    headers: list[str]
    rows: list[list[str]]
    words: int


def leaderboard(report: Comparison) -> Cells:
    """A row a group: settings, n, the metric, other accuracies, what it cost."""
    beside = [name for name in ("val/acc", "test/acc") if _is_known(report, name)]
    beside = [name for name in beside if name != report.metric]
    times = [g.statistics["train_seconds"].mean for g in report.groups if _has_time(g)]
    unit, size = time_unit(times)
    metric = report.metric
    headers = [label(key) for key in report.columns] or ["runs"]
    headers += ["n", heading(metric), "95% interval", *map(heading, beside)]
    rows = []
    for group in report.groups:
        found = group.statistics.get(metric)
        row = list(map(shown, group.settings.values())) or [ALL]
        row += [str(found.n if found else 0), mean_text(metric, found)]
        row += [interval_text(metric, found)]
        row += [mean_text(name, group.statistics.get(name)) for name in beside]
        rows.append([*row, _time(group, size), _speed(group)])
    return Cells([*headers, f"time ({unit})", "images/s"], rows, len(report.columns) or 1)


def unfinished_table(report: Comparison) -> Cells:
    """A row a run that does not enter the means: where it stands, and why."""
    headers = ["run", "settings", "state", "progress", "reason"]
    rows = []
    for run in report.unfinished:
        keys = [key for key in (*report.columns, "seed") if key in run.settings]
        settings = " ".join(f"{label(key)}={shown(run.settings[key])}" for key in keys)
        rows.append(
            [run.name, settings, run.state, _progress(run, report.metric), run.reason or ""]
        )
    return Cells(headers, rows, len(headers))


def runs_table(report: Comparison) -> Cells:
    """A row a finished run: settings, seeds, figures."""
    shown = [name for name in RUN_FIGURES if any(name in run.figures for run in report.finished)]
    unit, size = time_unit([run.figures.get("train_seconds", 0.0) for run in report.finished])
    words = ["run", *(label(key) for key in report.columns), *SEEDS]
    rows = []
    for run in report.finished:
        row = [run.name, *(run.settings.get(key, ABSENT) for key in (*report.columns, *SEEDS))]
        row += [value_text(name, run.figures.get(name)) for name in shown]
        seconds = run.figures.get("train_seconds")
        row.append(ABSENT if seconds is None else f"{seconds / size:,.1f}")
        rows.append(row)
    return Cells([*words, *map(heading, shown), f"time ({unit})"], rows, len(words))


def shared_table(report: Comparison) -> Cells:
    """A row a setting that is the same in all readable runs."""
    known = [run.settings for run in report.runs if run.settings]
    first = known[0] if known else {}
    hidden = {*report.columns, *SEEDS}
    same = {
        key: value
        for key, value in first.items()
        if key not in hidden and all(settings.get(key) == value for settings in known)
    }
    return Cells(["setting", "value"], [[label(k), value] for k, value in same.items()], 2)


def summary(report: Comparison) -> str:
    """How many runs of how many settings, and what they took."""
    parts = [f"{counted(len(report.finished), 'finished run')}"]
    if len(report.groups) > 1:
        parts[0] += f" of {len(report.groups)} settings"
    if report.unfinished:
        parts.append(f"{len(report.unfinished)} not in the means")
    seconds = sum(run.figures.get("train_seconds", 0.0) for run in report.finished)
    return f"{', '.join(parts)}; {time_text(seconds)} of training"


def seeds_of(run: RunResult) -> dict[str, str]:
    """What a run was seeded with, by the name of the setting."""
    return {key: run.settings[key] for key in SEEDS if key in run.settings}


def _is_known(report: Comparison, figure: str) -> bool:
    return any(figure in group.statistics for group in report.groups)


def _has_time(group: Group) -> bool:
    return "train_seconds" in group.statistics


def _time(group: Group, size: float) -> str:
    if not _has_time(group):
        return ABSENT
    return f"{group.statistics['train_seconds'].mean / size:,.1f}"


def _speed(group: Group) -> str:
    found = group.statistics.get("images_per_second")
    return f"{found.mean:,.0f}" if found else ABSENT


def _progress(run: RunResult, metric: str) -> str:
    if "epoch" not in run.progress:
        return ""
    length = run.settings.get("trainer.max_epochs", "null")
    text = f"epoch {int(run.progress['epoch']) + 1}{'' if length == 'null' else f'/{length}'}"
    name = f"val/{metric.partition('/')[2]}"
    if name in run.progress:
        percent = "%" if name.endswith("acc") else ""
        text += f", {name} {value_text(name, run.progress[name])}{percent}"
    return text
