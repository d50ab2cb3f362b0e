"""Tables of a report as CSV, Markdown, LaTeX and on the terminal."""

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from src.report.comparison import Comparison
from src.report.load import FIGURES
from src.report.tables import Cells, leaderboard, seeds_of, summary, unfinished_table
from src.report.varying_settings import SEEDS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


WORD = 10
"""Letters that a column of words is wide at least on the terminal."""

COLUMN = 2
"""Spaces beside each."""

_MARKDOWN = str.maketrans({character: f"\\{character}" for character in r"\`*_[]<>|#~"})
_LATEX = {"±": r"$\pm$", "–": "--", "−": "$-$"}
"""What no font encoding of LaTeX is sure to have."""


def groups_csv(report: Comparison) -> str:
    """A row a group, figures in full: fractions, seconds, images a second."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    parts = ("n", "mean", "std", "low", "high")
    figures = [f"{name} {part}" for name in FIGURES for part in parts]
    writer.writerow([*report.columns, "runs", *figures])
    for group in report.groups:
        found = [group.statistics.get(name) for name in FIGURES]
        cells = [getattr(each, part, None) for each in found for part in parts]
        writer.writerow([*group.settings.values(), len(group.runs), *cells])
    return file.getvalue()


def runs_csv(report: Comparison) -> str:
    """A row a run, whatever became of it."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["run", "state", "reason", *report.columns, *SEEDS, *FIGURES, "path"])
    for run in report.runs:
        settings = [run.settings.get(key) for key in report.columns]
        seeds = [seeds_of(run).get(key) for key in SEEDS]
        figures = [run.figures.get(name) for name in FIGURES]
        writer.writerow([run.name, run.state, run.reason, *settings, *seeds, *figures, run.path])
    return file.getvalue()


def markdown(report: Comparison) -> str:
    """The report as a Markdown document, in GitHub's dialect."""

    def table(cells: Cells) -> str:
        return markdown_table(cells.headers, cells.rows, cells.words)

    parts = [f"# {escaped(report.title)}", escaped(summary(report))]
    if report.groups:
        parts.append(table(leaderboard(report)))
    parts += [escaped(line) for line in sentences(report)]
    if report.unfinished:
        parts += ["## Not in the means", table(unfinished_table(report))]
    return "\n\n".join(parts) + "\n"


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> str:
    """A table of text, whatever letters it has; its first ``words`` columns on the left."""
    from tabulate import tabulate

    cells = [[escaped(cell) for cell in row] for row in [headers, *rows]]
    sides = ["left" if place < words else "right" for place in range(len(headers))]
    return tabulate(cells[1:], cells[0], tablefmt="pipe", disable_numparse=True, colalign=sides)


def latex(report: Comparison) -> str:
    r"""The leaderboard as a ``tabular`` for a document with ``\usepackage{booktabs}``."""
    from tabulate import tabulate

    cells = leaderboard(report)
    text = tabulate(
        cells.rows,
        cells.headers,
        tablefmt="latex_booktabs",
        disable_numparse=True,
        colalign=_sides(cells) if cells.rows else None,
    )
    for character, command in _LATEX.items():
        text = text.replace(character, command)
    remarks = [report.title, summary(report), *sentences(report), r"needs \usepackage{booktabs}"]
    return "".join(f"% {' '.join(line.split())}\n" for line in remarks) + text + "\n"


def sentences(report: Comparison) -> list[str]:
    """What stands below the leaderboard: whether the lead is real, and what limits it."""
    lead = [str(report.lead)] if report.lead else []
    return [*lead, *(f"Note: {line}." for line in report.caveats)]


def terminal(cells: Cells, console: "Console", title: str | None = None) -> "Table":
    """A table for rich, as narrow as it can be read; wider than the console rather than cut."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title, overflow="fold") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for place, name in enumerate(_short(cells)):
        word = place < cells.words
        longest = max(len(text) for text in [*name.split(), *(row[place] for row in cells.rows)])
        table.add_column(
            Text(name),
            justify="left" if word else "right",
            overflow="fold",
            min_width=min(longest, WORD) if word else longest,
        )
    for row in cells.rows:
        # A name may hold brackets, which are no markup.
        table.add_row(*(Text(cell) for cell in row))
    least = sum((column.min_width or 0) + COLUMN for column in table.columns) + COLUMN
    table.width = least if least > console.width else None
    return table


def _short(cells: Cells) -> list[str]:
    """The titles, settings without their group where that leaves no doubt."""
    short = [name.partition(".")[2] or name for name in cells.headers]
    return [
        name if place < cells.words and short.count(name) == 1 else cells.headers[place]
        for place, name in enumerate(short)
    ]


def _sides(cells: Cells) -> Sequence[str]:
    return ["left" if place < cells.words else "right" for place in range(len(cells.headers))]


def escaped(text: str) -> str:
    """A text for Markdown, in which its letters mean themselves."""
    return " ".join(text.split()).translate(_MARKDOWN)
