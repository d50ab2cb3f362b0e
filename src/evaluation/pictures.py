"""Pictures of predictions: confusion, calibration, the worst mistakes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from src.evaluation.measures import BINS
from src.evaluation.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_calibration", "draw_confusion", "draw_worst", "new_figure"]

READABLE = 25
"""Classes up to which a confusion matrix has numbers and names."""

WORST = 24


def new_figure(width: float, height: float) -> "Figure":
    """A figure of so many inches that no window belongs to."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_confusion(
    path: Path, matrix: NDArray[np.int64], classes: Sequence[str], title: str
) -> None:
    """Draw how the images of each class (rows) were classified, as shares of the row."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = 1.6 + 0.55 * min(len(classes), READABLE)
    figure = new_figure(side + 1.8, side)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, fraction=0.045, label="share of the class")
    if len(classes) <= READABLE:
        axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
        axes.set_yticks(range(len(classes)), classes)
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(
                    column, row, f"{count}", ha="center", va="center", color=colour, fontsize=8
                )
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize="medium")
    figure.savefig(path, dpi=110)


def draw_calibration(path: Path, predictions: Predictions, title: str) -> None:
    """Draw accuracy against confidence in bins, and how many images are in each."""
    edges = np.linspace(0, 1, BINS + 1)
    places = np.clip(np.digitize(predictions.confidence, edges, right=True) - 1, 0, BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    right = np.bincount(places, weights=predictions.correct, minlength=BINS)
    filled = counts > 0
    centres = (edges[:-1] + edges[1:]) / 2
    figure = new_figure(5, 5)
    above, below = figure.subplots(2, height_ratios=[3, 1], sharex=True)
    above.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="perfect")
    above.bar(
        centres[filled], right[filled] / counts[filled], 1 / BINS, edgecolor="white", label="found"
    )
    above.set_ylabel("accuracy")
    above.set_ylim(0, 1)
    above.legend(frameon=False)
    above.set_title(title, fontsize="medium")
    below.bar(centres, counts, 1 / BINS, color="0.7", edgecolor="white")
    below.set_xlabel("confidence")
    below.set_ylabel("images")
    below.set_xlim(0, 1)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def draw_worst(
    path: Path, predictions: Predictions, images: NDArray[np.uint8], classes: Sequence[str]
) -> int:
    """Draw the most confident mistakes with what they are and what they were taken for.

    Returns:
        How many there are, at most 24; a picture is drawn in any case.
    """
    wrong = np.flatnonzero(~predictions.correct)
    worst = wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:WORST]
    columns = 8
    rows = max(1, -(-len(worst) // columns))
    figure = new_figure(1.35 * columns, 1.75 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    for panel, index in zip(panels, worst, strict=False):
        pixels = images[index]
        panel.imshow(pixels if pixels.shape[-1] == 3 else pixels[..., 0], cmap="gray")
        guess = classes[predictions.classes[index]]
        truth = classes[predictions.labels[index]]
        panel.set_title(f"{guess} {predictions.confidence[index]:.0%}\nis {truth}", fontsize=7)
    if not len(worst):
        panels[0].set_title("no mistake", fontsize=9)
    figure.savefig(path, dpi=110)
    return len(worst)
