"""One PNG of a comparison for a document: learning curves, gradients by depth."""

from statistics import fmean
from typing import TYPE_CHECKING

from src.errors import UserError
from src.plotting.figure import as_png, new_figure
from src.report.charts import colour, mpl_dash
from src.report.comparison import Comparison
from src.report.curves import Curve, mean_curve
from src.report.groups import Group
from src.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST = 12
"""Groups that can be told apart; of more the best are shown."""

LETTERS, GAP = 160, 8
"""Of small print, what is as wide as the picture, and what a line's sample takes."""


def picture(report: Comparison) -> bytes:
    """A PNG of the groups' training loss, validation accuracy and gradient norms, means over seeds.

    The norms are those of each stage's gradient, averaged over the training, from the stem to the
    classifier; runs that did not log them are left out of that panel.

    Raises:
        UserError: no run is finished.
    """
    if not report.groups:
        raise UserError(f"{report.title}: no finished run to draw")
    figure = new_figure(12, 4.2, layout="constrained")
    loss, accuracy, norms = figure.subplots(1, 3)
    for place, group in enumerate(report.groups[:MOST]):
        style = {"color": colour(place), "linestyle": mpl_dash(place), "linewidth": 1.4}
        _plot(loss, _mean(group, "train/loss"), 1, **style)
        _plot(accuracy, _mean(group, "val/acc"), 100, label=group.name, **style)
        depths = _depths(group)
        norms.plot(list(depths), list(depths.values()), marker="o", markersize=4, **style)
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
    found = [norm for group in report.groups[:MOST] for norm in _depths(group).values()]
    if found and min(found) > 0:
        _logarithmic(norms)
    _legend(figure)
    return as_png(figure)


def _legend(figure: "Figure") -> None:
    """As many names in a row as there is room for; of a long one its beginning and end."""
    handles, names = figure.axes[1].get_legend_handles_labels()
    short = [shorten(name, LETTERS, keep_end=True) for name in names]
    columns = max(1, min(3, LETTERS // (max(map(len, short)) + GAP)))
    figure.legend(
        handles,
        short,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize="small",
    )


def _mean(group: Group, name: str) -> Curve:
    return mean_curve([run.curves[name] for run in group.runs if name in run.curves])


def _plot(axes: "Axes", curve: Curve, scale: float, **style: object) -> None:
    values = [scale * value for value in curve.values]
    axes.plot(curve.epochs, values, **style)  # type: ignore[arg-type]


def _logarithmic(axes: "Axes") -> None:
    from matplotlib.ticker import FormatStrFormatter, NullFormatter

    axes.set_yscale("log", subs=(2, 5))
    # Matplotlib's own are formulas, which these figures do not have.
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(FormatStrFormatter("%g"))
    if len(axes.get_yticks(minor=True)) > 12:
        axes.yaxis.set_minor_formatter(NullFormatter())


def _depths(group: Group) -> dict[str, float]:
    """The mean gradient norm of each stage over the runs that have it."""
    stages = list(dict.fromkeys(stage for run in group.runs for stage in run.gradients))
    return {
        stage: fmean(run.gradients[stage] for run in group.runs if stage in run.gradients)
        for stage in stages
    }
