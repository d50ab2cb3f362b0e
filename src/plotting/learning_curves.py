"""``curves.png``: loss, accuracy and learning rate of a run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from src.plotting.figure import new_figure, write_figure
from src.runs.directory import RunDirectory
from src.runs.reader import read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[dict[str, float]]


def draw_curves(directory: RunDirectory, title: str) -> None:
    """Draw the logged rows of a run into ``curves.png``.

    Curves differ in line and marker as well as in color, for print in gray.
    """
    rows = read_rows(directory)
    figure = new_figure(10, 3.2, layout="constrained")
    loss, accuracy, rate = figure.subplots(1, 3)
    star = {"marker": "*", "linestyle": "none"}
    for axes, name, scale in ((loss, "loss", 1.0), (accuracy, "acc", 100.0)):
        _plot(axes, rows, f"train/{name}", scale, label="training", color="0.55", linewidth=1)
        _plot(axes, rows, f"val/{name}", scale, label="validation", color="tab:blue", marker="o")
        _plot(axes, rows, f"test/{name}", scale, label="test", color="black", **star)
        axes.legend(frameon=False)
    _plot(rate, rows, "lr", 1.0, color="tab:blue")
    for axes, label in ((loss, "loss"), (accuracy, "accuracy in %"), (rate, "learning rate")):
        axes.set_xlabel("step")
        axes.set_title(label, fontsize="medium")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    accuracy.set_ylim(0, 100)
    rate.set_ylim(bottom=0)
    figure.suptitle(title, fontsize="medium")
    write_figure(directory.path / "curves.png", figure)


def _plot(axes: "Axes", rows: Rows, name: str, scale: float, **style: Any) -> None:
    points = [(row["step"] + 1, scale * row[name]) for row in rows if name in row]
    if points:
        axes.plot(*zip(*points, strict=True), **style)
