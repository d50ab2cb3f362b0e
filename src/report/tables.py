"""Tables of a report: leaderboard, runs; as CSV, Markdown, LaTeX and on the terminal."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table as RichTable
from rich.text import Text

from src.report.comparison import Comparison
from src.report.formatting import (
    ABSENT,
    assignments,
    counted,
    curve_name,
    heading,
    interval_text,
    is_share,
    mean_text,
    number_text,
    setting_text,
    time_text,
    time_unit,
    value_text,
)
from src.report.load import FIGURES, SEEDS, RunResult
from src.report.statistics import ALL, STATISTICS

METRIC_COLUMNS = FIGURES[:6]
WORD = 10  # least width of a column of words on the terminal, in letters

_MARKDOWN = str.maketrans({character: f"\\{character}" for character in r"\`*_[]<>|#~"})
_LATEX = str.maketrans({"±": r"$\pm$", "–": "--", "−": "$-$", "<": "$<$", ">": "$>$"})
"""Letters that not every font encoding of LaTeX has and that pandas does not escape."""


class Table(NamedTuple):
    """Cells of text; the first ``words`` columns are words, the others figures."""

    cells: "pd.DataFrame"
    words: int


def leaderboard(report: Comparison) -> Table:
    """A row a group: settings, n, the metric, other accuracies, what it cost."""
    metric = report.metric
    found = [group.statistics for group in report.groups]
    beside = [
        name
        for name in ("val/acc", "test/acc")
        if name != metric and any(each[f"{name} n"] for each in found)
    ]
    words = {
        key: [setting_text(group.settings[key]) for group in report.groups]
        for key in report.columns
    } or {"runs": [ALL] * len(found)}
    figures = {
        "n": [str(each[f"{metric} n"]) for each in found],
        heading(metric): [mean_text(metric, each) for each in found],
        "95% interval": [interval_text(metric, each) for each in found],
        **{heading(name): [mean_text(name, each) for each in found] for name in beside},
        **_times([each["train_seconds mean"] for each in found]),
        "images/s": [number_text(each["images_per_second mean"]) for each in found],
    }
    return Table(pd.DataFrame(words | figures, dtype=object), len(words))


def unfinished_table(report: Comparison) -> Table:
    """A row a run that does not enter the means: where it stands, and why."""
    rows = []
    for run in report.unfinished:
        named = {key: run.setting(key) for key in (*report.columns, "seed")}
        settings = {key: value for key, value in named.items() if value != ABSENT}
        progress = _progress(run, report.metric)
        rows.append([run.name, assignments(settings), run.state, progress, run.reason or ""])
    headers = ["run", "settings", "state", "progress", "reason"]
    return Table(pd.DataFrame(rows, columns=headers, dtype=object), len(headers))


def runs_table(report: Comparison) -> Table:
    """A row a finished run: settings, seeds, figures."""
    runs = report.finished
    words = {"run": [run.name for run in runs]}
    words |= {key: [run.setting(key) for run in runs] for key in (*report.columns, *SEEDS)}
    figures = {
        heading(name): [value_text(name, run.figures.get(name, math.nan)) for run in runs]
        for name in METRIC_COLUMNS
        if any(name in run.figures for run in runs)
    }
    figures |= _times([run.figures.get("train_seconds", math.nan) for run in runs])
    return Table(pd.DataFrame(words | figures, dtype=object), len(words))


def _times(seconds: Sequence[float]) -> dict[str, list[str]]:
    """A column of times, in one unit, by its heading."""
    unit, size = time_unit(pd.Series(seconds, dtype=float).max())
    return {f"time ({unit})": [number_text(time / size, 1) for time in seconds]}


def shared_table(report: Comparison) -> Table:
    """A row a setting that is the same in all readable runs."""
    settings = pd.DataFrame([run.settings for run in report.runs if run.settings], dtype=object)
    same = settings.loc[:, settings.nunique(dropna=False) == 1].drop(
        columns=[*report.columns, *SEEDS], errors="ignore"
    )
    rows = [[key.removesuffix(".name"), *values] for key, values in same.head(1).items()]
    return Table(pd.DataFrame(rows, columns=["setting", "value"], dtype=object), 2)


def summary(report: Comparison) -> str:
    """How many runs of how many settings, and what they took."""
    parts = [counted(len(report.finished), "finished run")]
    if len(report.groups) > 1:
        parts[0] += f" of {len(report.groups)} settings"
    if report.unfinished:
        parts.append(f"{len(report.unfinished)} not in the means")
    seconds = sum(run.figures.get("train_seconds", 0.0) for run in report.finished)
    return f"{', '.join(parts)}; {time_text(seconds)} of training"


def sentences(report: Comparison) -> list[str]:
    """What stands below the leaderboard: whether the lead is real, and what limits it."""
    lead = [str(report.lead)] if report.lead else []
    return [*lead, *(f"Note: {line}." for line in report.caveats)]


def _progress(run: RunResult, metric: str) -> str:
    if "epoch" not in run.progress:
        return ""
    length = run.settings.get("trainer.max_epochs", "null")
    text = f"epoch {int(run.progress['epoch']) + 1}{'' if length == 'null' else f'/{length}'}"
    name = curve_name(metric)
    if name in run.progress:
        percent = "%" if is_share(name) else ""
        text += f", {name} {value_text(name, run.progress[name])}{percent}"
    return text


def groups_csv(report: Comparison) -> str:
    """A row a group, figures in full: fractions, seconds, images a second."""
    columns = [*report.columns, "runs", *STATISTICS]
    rows = [
        {**group.settings, "runs": len(group.runs), **group.statistics} for group in report.groups
    ]
    return pd.DataFrame(rows, columns=columns).to_csv(index=False, lineterminator="\r\n")


def runs_csv(report: Comparison) -> str:
    """A row a run, whatever became of it."""
    columns = ["run", "state", "reason", *report.columns, *SEEDS, *FIGURES, "path"]
    rows = [
        {**run.choices, **run.settings, **run.figures, **vars(run), "run": run.name}
        for run in report.runs
    ]
    return pd.DataFrame(rows, columns=columns).to_csv(index=False, lineterminator="\r\n")


def markdown(report: Comparison) -> str:
    """The report as a Markdown document, in GitHub's dialect."""
    parts = [f"# {escaped(report.title)}", escaped(summary(report))]
    if report.groups:
        parts.append(markdown_table(leaderboard(report)))
    parts += [escaped(line) for line in sentences(report)]
    if report.unfinished:
        parts += ["## Not in the means", markdown_table(unfinished_table(report))]
    return "\n\n".join(parts) + "\n"


def markdown_table(table: Table) -> str:
    """A table of text, whatever letters it has; words on the left."""
    cells = table.cells.map(escaped).rename(columns=escaped)
    sides = ["left"] * table.words + ["right"] * (len(cells.columns) - table.words)
    return cells.to_markdown(index=False, disable_numparse=True, colalign=sides)


def escaped(text: str) -> str:
    """A text on one line with Markdown's special characters escaped."""
    return " ".join(text.split()).translate(_MARKDOWN)


def latex(report: Comparison) -> str:
    r"""The leaderboard as a ``tabular`` for a document with ``\usepackage{booktabs}``."""
    table = leaderboard(report)
    sides = "l" * table.words + "r" * (len(table.cells.columns) - table.words)
    text = table.cells.to_latex(index=False, escape=True, column_format=sides)
    remarks = [report.title, summary(report), *sentences(report), r"needs \usepackage{booktabs}"]
    comments = "".join(f"% {' '.join(line.split())}\n" for line in remarks)
    return f"{comments}{text.translate(_LATEX)}"


def terminal(report: Comparison, console: Console) -> RichTable:
    """The leaderboard for rich, as narrow as it can be read; wider than the console, never cut."""
    cells, words = leaderboard(report)
    title = Text(report.title, overflow="fold")
    shown = RichTable(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    # Settings without their group where that leaves no doubt.
    short = [name.partition(".")[2] or name for name in cells]
    for place, (name, full) in enumerate(zip(short, cells, strict=True)):
        name = name if short.count(name) == 1 else full
        least = max(map(len, [*name.split(), *cells[full]]))
        side: JustifyMethod = "right"
        if place < words:
            least, side = min(least, WORD), "left"
        shown.add_column(Text(name), justify=side, overflow="fold", min_width=least)
    for row in cells.to_numpy():
        # A name may hold brackets, which are no markup.
        shown.add_row(*map(Text, row))
    # Two spaces stand beside each column.
    least = sum((column.min_width or 0) + 2 for column in shown.columns) + 2
    shown.width = least if least > console.width else None
    return shown
