"""Grids of images: labelled ones for TensorBoard and evaluations, contact sheets of predictions."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.plotting.figure import as_pixels, new_figure, write_figure
from src.text import shorten

DPI = 100
MIN_TILE_WIDTH = 96
"""In pixels; smaller images are magnified by a whole number."""

LINE_HEIGHT = 14
"""In pixels."""

COLUMNS = 8
SEAM = 4


def image_grid(images: NDArray[np.uint8], labels: Sequence[str]) -> NDArray[np.uint8]:
    """Draw images with a label each, eight in a row: RGB uint8 (height, width, 3).

    ``images`` are uint8 (N, H, W, 1 or 3), at least one; ``labels`` have one or more lines. Pixels
    are copied or repeated, never interpolated, so that colors stay exact.
    """
    times = -(-MIN_TILE_WIDTH // images.shape[2])
    tiles = images.repeat(times, axis=1).repeat(times, axis=2)
    strip = LINE_HEIGHT * max(label.count("\n") + 1 for label in labels) + SEAM
    height, width = tiles.shape[1:3]
    down, right = height + strip + SEAM, width + SEAM
    rows, columns = -(-len(tiles) // COLUMNS), min(COLUMNS, len(tiles))
    picture = np.full((SEAM + rows * down, SEAM + columns * right, 3), 255, np.uint8)
    centers = []
    for number, tile in enumerate(tiles):
        row, column = divmod(number, COLUMNS)
        top, left = SEAM + row * down, SEAM + column * right
        picture[top : top + height, left : left + width] = tile
        centers.append((left + width / 2, top + height + strip / 2))
    return _draw_labels(picture, labels, centers)


def _draw_labels(
    picture: NDArray[np.uint8], labels: Sequence[str], centers: Sequence[tuple[float, float]]
) -> NDArray[np.uint8]:
    """Write each label around its center, given in pixels from the left and from the top."""
    height, width, _ = picture.shape
    figure = new_figure(width / DPI, height / DPI, dpi=DPI)
    figure.figimage(picture)
    for label, (x, y) in zip(labels, centers, strict=True):
        place = x / width, 1 - y / height
        figure.text(*place, label, ha="center", va="center", fontsize=8)
    return as_pixels(figure)


SHEET = 64
"""Images on a contact sheet, at most."""
MAX_LETTERS = 22


def draw_contact_sheet(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    names: Sequence[str],
    predictions: Sequence[tuple[str, float]],
    *,
    total: int,
) -> None:
    """Draw the first 64 images, each over its name, under its class and probability.

    ``images`` are uint8 (h, w, 1) gray or (h, w, 3) RGB, of any sizes, at least one; ``total`` is
    the number of all images, on the sheet or not.
    """
    count = min(len(images), SHEET)
    columns = min(COLUMNS, max(2, math.ceil(math.sqrt(count))))
    rows = -(-count // columns)
    figure = new_figure(1.5 * columns, 1.85 * rows + 0.3, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    shown = zip(panels, images, names, predictions, strict=False)
    for panel, image, name, (predicted, probability) in shown:
        pixels = image if image.shape[-1] == 3 else image[..., 0]
        panel.imshow(pixels, cmap="gray", vmin=0, vmax=255)
        title = f"{shorten(predicted, MAX_LETTERS - 5, keep_end=True)} {probability:.0%}"
        panel.set_title(title, fontsize=8)
        panel.text(
            0.5,
            -0.03,
            shorten(name, MAX_LETTERS, keep_end=True),
            transform=panel.transAxes,
            ha="center",
            va="top",
            fontsize=6,
            color="0.4",
        )
    if total > count:
        figure.suptitle(f"the first {count} of {total:,} images", fontsize=9)
    write_figure(path, figure)
