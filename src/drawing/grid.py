"""Images in a grid, each with text below it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from src.drawing.figure import as_pixels, new_figure

DPI = 100
SMALLEST = 96
"""Pixels that a tile is wide at least; smaller images are magnified by a whole number."""

LINE = 14
"""Pixels of a line of text."""

COLUMNS = 8
SEAM = 4


def labelled_grid(images: NDArray[np.uint8], labels: Sequence[str]) -> NDArray[np.uint8]:
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
