"""Images in a grid, each with text below it."""

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F
from torchvision.utils import make_grid

DPI = 100
SMALLEST = 96
"""Pixels that a tile has at least; smaller images are magnified by a whole number."""

LINE = 14
"""Pixels of a line of text."""

COLUMNS = 8
SEAM = 4


def labelled_grid(images: Tensor, labels: Sequence[str]) -> np.ndarray:
    """Draw images with a text each, eight in a row.

    Pixels are copied or repeated, never blended, so that a colour is what it was.

    Args:
        images: (N, 1 or 3, H, W), uint8, on the CPU; three channels are red, green, blue.
        labels: N short texts of a line or several.

    Returns:
        The picture, RGB uint8 (height, width, 3).
    """
    times = -(-SMALLEST // images.shape[-1])
    tiles = images.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)
    strip = LINE * max(label.count("\n") + 1 for label in labels) + SEAM
    tiles = F.pad(tiles, (0, 0, 0, strip), value=255)
    picture = make_grid(tiles, nrow=COLUMNS, padding=SEAM, pad_value=255).permute(1, 2, 0).numpy()
    places = [divmod(number, COLUMNS) for number in range(len(labels))]
    down, right = tiles.shape[-2] + SEAM, tiles.shape[-1] + SEAM
    middles = [
        ((column + 0.5) * right + SEAM / 2, (row + 1) * down - strip / 2) for row, column in places
    ]
    return _write(picture, labels, middles)


def _write(
    picture: np.ndarray, labels: Sequence[str], middles: Sequence[tuple[float, float]]
) -> np.ndarray:
    """Write each label around its place, in pixels from the left and from the top."""
    height, width, _ = picture.shape
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    figure.figimage(picture)
    for label, (x, y) in zip(labels, middles, strict=True):
        place = x / width, 1 - y / height
        # A name may hold a $, which is no formula.
        figure.text(*place, label, ha="center", va="center", fontsize=8, parse_math=False)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
