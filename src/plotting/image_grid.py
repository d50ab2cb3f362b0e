"""Grids of images: labelled for TensorBoard and evaluations, contact sheets of predictions."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.plotting.figure import as_pixels, new_figure, write_figure
from src.text import shorten

DPI = 100
SMALLEST = 96
"""Pixels that a tile is wide at least; smaller images are magnified by a whole number."""

LINE = 14
"""Pixels of a line of text."""

COLUMNS = 8
SEAM = 4


def image_grid(images: NDArray[np.uint8], labels: Sequence[str]) -> NDArray[np.uint8]:
    """Draw images with a text each, eight in a row.

    Pixels are copied or repeated, never blended, so that a colour is what it was.

    Args:
        images: uint8 (N, H, W, 1 or 3), at least one; three channels are red, green, blue.
        labels: N short texts of a line or several.

    Returns:
        The picture, RGB uint8 (height, width, 3).
    """
    times = -(-SMALLEST // images.shape[2])
    tiles = images.repeat(times, axis=1).repeat(times, axis=2)
    strip = LINE * max(label.count("\n") + 1 for label in labels) + SEAM
    height, width = tiles.shape[1:3]
    down, right = height + strip + SEAM, width + SEAM
    rows, columns = -(-len(tiles) // COLUMNS), min(COLUMNS, len(tiles))
    picture = np.full((SEAM + rows * down, SEAM + columns * right, 3), 255, np.uint8)
    middles = []
    for number, tile in enumerate(tiles):
        row, column = divmod(number, COLUMNS)
        top, left = SEAM + row * down, SEAM + column * right
        picture[top : top + height, left : left + width] = tile
        middles.append((left + width / 2, top + height + strip / 2))
    return _write(picture, labels, middles)


def _write(
    picture: NDArray[np.uint8], labels: Sequence[str], middles: Sequence[tuple[float, float]]
) -> NDArray[np.uint8]:
    """Write each label around its place, in pixels from the left and from the top."""
    height, width, _ = picture.shape
    figure = new_figure(width / DPI, height / DPI, dpi=DPI)
    figure.figimage(picture)
    for label, (x, y) in zip(labels, middles, strict=True):
        place = x / width, 1 - y / height
        figure.text(*place, label, ha="center", va="center", fontsize=8)
    return as_pixels(figure)


SHEET = 64
"""Images a sheet has at most."""
LETTERS = 22


def draw_contact_sheet(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    names: Sequence[str],
    guesses: Sequence[tuple[str, float]],
    *,
    total: int,
) -> None:
    """Draw the first 64 images, each over its name, with the class and its probability above.

    Args:
        path: the picture to write.
        images: uint8 (h, w, 1) grey or (h, w, 3) RGB, of any sizes; at least one.
        names: what to call each.
        guesses: the most probable class of each and its probability, 0..1.
        total: how many images there are, on the sheet or not.
    """
    count = min(len(images), SHEET)
    columns = min(COLUMNS, max(2, math.ceil(math.sqrt(count))))
    rows = -(-count // columns)
    figure = new_figure(1.5 * columns, 1.85 * rows + 0.3, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    shown = zip(panels, images, names, guesses, strict=False)
    for panel, image, name, (guess, probability) in shown:
        pixels = image if image.shape[-1] == 3 else image[..., 0]
        panel.imshow(pixels, cmap="gray", vmin=0, vmax=255)
        title = f"{shorten(guess, LETTERS - 5, keep_end=True)} {probability:.0%}"
        panel.set_title(title, fontsize=8)
        panel.text(
            0.5,
            -0.03,
            shorten(name, LETTERS, keep_end=True),
            transform=panel.transAxes,
            ha="center",
            va="top",
            fontsize=6,
            color="0.4",
        )
    if total > count:
        figure.suptitle(f"the first {count} of {total:,} images", fontsize=9)
    write_figure(path, figure)
