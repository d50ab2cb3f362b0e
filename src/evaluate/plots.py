"""Figures of predictions: confusion matrix, calibration, worst mistakes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from src.evaluate.metrics import BINS
from src.inference.predictions import Predictions
from src.plotting.figure import image_grid, new_figure
from src.text import shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MAX_LABELLED_CLASSES = 25
"""Classes up to which a confusion matrix has numbers and names."""

MAX_MISTAKES = 24
MAX_LETTERS = 16
"""Letters of a name that fit below a tile and beside a matrix."""


def accuracy_title(predictions: Predictions) -> str:
    """Title of a figure: accuracy and number of images."""
    return f"accuracy {predictions.correct.mean():.2%} on {len(predictions.labels):,} images"


def confusion_figure(matrix: NDArray[np.int64], classes: Sequence[str], title: str) -> "Figure":
    """Draw how the images of each class (rows) were classified, as shares of the row.

    ``matrix`` are the counts (K, K) of :func:`src.evaluate.metrics.confusion`.
    """
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = 1.6 + 0.55 * min(len(classes), MAX_LABELLED_CLASSES)
    figure = new_figure(side + 1.8, side, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, fraction=0.045, label="share of the class")
    if len(classes) <= MAX_LABELLED_CLASSES:
        # Longer names would leave no room for the matrix.
        names = [shorten(name, MAX_LETTERS, keep_end=True) for name in classes]
        axes.set_xticks(range(len(classes)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(classes)), names)
        centered: Any = {"ha": "center", "va": "center"}
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                color = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, f"{count}", color=color, fontsize=8, **centered)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize="medium")
    return figure


def calibration_figure(predictions: Predictions, title: str) -> "Figure":
    """Draw a reliability diagram: accuracy and number of images by confidence."""
    edges = np.linspace(0, 1, BINS + 1)
    bins = np.clip(np.digitize(predictions.confidence, edges, right=True) - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    right = np.bincount(bins, weights=predictions.correct, minlength=BINS)
    filled = counts > 0
    centers = (edges[:-1] + edges[1:]) / 2
    figure = new_figure(5, 5, layout="constrained")
    above, below = figure.subplots(2, height_ratios=[3, 1], sharex=True)
    above.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="perfect")
    accuracy = right[filled] / counts[filled]
    above.bar(centers[filled], accuracy, 1 / BINS, edgecolor="white", label="found")
    above.set_ylabel("accuracy")
    above.set_ylim(0, 1)
    above.legend(frameon=False)
    above.set_title(title, fontsize="medium")
    below.bar(centers, counts, 1 / BINS, color="0.7", edgecolor="white")
    below.set_xlabel("confidence")
    below.set_ylabel("images")
    below.set_xlim(0, 1)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def worst_mistakes(
    predictions: Predictions, images: NDArray[np.uint8], classes: Sequence[str]
) -> NDArray[np.uint8]:
    """Draw the most confident mistakes, at most 24, with their predicted and true classes.

    ``images`` are uint8 (N, H, W, 1 or 3); the result is RGB uint8 (height, width, 3).
    """
    wrong = np.flatnonzero(~predictions.correct)
    worst = wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:MAX_MISTAKES]
    if not len(worst):
        return image_grid(np.full_like(images[:1], 255), ["no mistake"])
    texts = [
        f"{shorten(classes[predictions.classes[index]], MAX_LETTERS - 5)} "
        f"{predictions.confidence[index]:.0%}\n"
        f"is {shorten(classes[predictions.labels[index]], MAX_LETTERS - 3)}"
        for index in worst
    ]
    return image_grid(np.asarray(images[worst]), texts)
