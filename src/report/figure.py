"""One PNG of a comparison for a document: learning curves, gradients by depth."""

from typing import TYPE_CHECKING

import pandas as pd

from src.errors import UserError
from src.plotting.figure import as_png, new_figure
from src.report.charts import colour, dash
from src.report.comparison import Comparison
from src.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST = 12
"""Groups that can be told apart; of more the best are shown."""

LETTERS, GAP = 160, 8
"""Of small print, what is as wide as the picture, and what a line's sample takes."""

LINES = {"solid": "solid", "dash": "dashed", "dot": "dotted"}
"""Plotly's names of lines in Matplotlib's words; of 12 groups no more are needed."""


def picture(report: Comparison) -> bytes:
    """A PNG of the groups' training loss, validation accuracy and gradient norms, means over seeds.

    The norms are those of each stage's gradient, averaged over the training, from the stem to the
    classifier; runs that did not log them are left out of that panel.
    """
    if not report.groups:
        raise UserError(f"{report.title}: no finished run to draw")
    figure = new_figure(12, 4.2, layout="constrained")
    loss, accuracy, norms = figure.subplots(1, 3)
    smallest_norm = float("inf")
    for place, group in enumerate(report.groups[:MOST]):
        style = {"color": colour(place), "linestyle": LINES[dash(place)], "linewidth": 1.4}
        loss.plot(group.curve("train/loss"), **style)
        accuracy.plot(100 * group.curve("val/acc"), label=group.name, **style)
        depths = pd.DataFrame([run.gradients for run in group.runs]).mean()
        norms.plot(depths, marker="o", markersize=4, **style)
        smallest_norm = min([smallest_norm, *depths])
    for axes, title, label in (
        (loss, "training loss", "epoch"),
        (accuracy, "validation accuracy in %", "epoch"),
        (norms, "gradient norm by depth", "stage"),
    ):
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel(label)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    _logarithmic(loss)
    if 0 < smallest_norm < float("inf"):
        _logarithmic(norms)
    _legend(figure)
    return as_png(figure)


def _legend(figure: "Figure") -> None:
    """As many names in a row as there is room for; of a long one its beginning and end."""
    handles, names = figure.axes[1].get_legend_handles_labels()
    short = [shorten(name, LETTERS, keep_end=True) for name in names]
    columns = max(1, min(3, LETTERS // (max(map(len, short)) + GAP)))
    figure.legend(
        handles, short, loc="outside lower center", ncols=columns, frameon=False, fontsize="small"
    )


def _logarithmic(axes: "Axes") -> None:
    from matplotlib.ticker import FormatStrFormatter, NullFormatter

    axes.set_yscale("log", subs=(2, 5))
    # Matplotlib's own are formulas, which these figures do not have.
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(FormatStrFormatter("%g"))
    if len(axes.get_yticks(minor=True)) > 12:
        axes.yaxis.set_minor_formatter(NullFormatter())
