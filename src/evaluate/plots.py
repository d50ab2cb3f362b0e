"""Figures of predictions: confusion matrix, calibration, worst mistakes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from src.evaluate.metrics import BINS, confusion
from src.inference.predictions import Predictions
from src.plotting import image_grid, new_figure
from src.text import shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_LABELED_CLASSES = 25  # up to which a confusion matrix has numbers and names
MAX_MISTAKES = 24
MAX_LETTERS = 16  # of a name, to fit below a tile and beside a matrix


def _title(predictions: Predictions) -> str:
    return f"accuracy {predictions.correct.mean():.2%} on {len(predictions.labels):,} images"


def confusion_figure(predictions: Predictions, classes: Sequence[str]) -> "Figure":
    """Draw how the images of each class (rows) were classified, as shares of the row."""
    matrix = confusion(predictions, len(classes))
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = 1.6 + 0.55 * min(len(classes), MAX_LABELED_CLASSES)
    figure = new_figure(side + 1.8, side, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, fraction=0.045, label="share of the class")
    if len(classes) <= MAX_LABELED_CLASSES:
        # Longer names would leave no room for the matrix.
        names = [shorten(name, MAX_LETTERS, keep_end=True) for name in classes]
        axes.set_xticks(range(len(classes)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(classes)), names)
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                color = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, f"{count}", color=color, size=8, ha="center", va="center")
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title(_title(predictions), fontsize="medium")
    return figure


def calibration_figure(predictions: Predictions) -> "Figure":
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
    above.set(ylabel="accuracy", ylim=(0, 1))
    above.legend(frameon=False)
    above.set_title(_title(predictions), fontsize="medium")
    below.bar(centers, counts, 1 / BINS, color="0.7", edgecolor="white")
    below.set(xlabel="confidence", ylabel="images", xlim=(0, 1))
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
    texts = []
    for index in worst:
        # Room for the percentage behind it, and for "is " before it.
        guess = shorten(classes[predictions.predicted[index]], MAX_LETTERS - 5)
        truth = shorten(classes[predictions.labels[index]], MAX_LETTERS - 3)
        texts.append(f"{guess} {predictions.confidence[index]:.0%}\nis {truth}")
    return image_grid(np.asarray(images[worst]), texts)
