"""Images in a grid, each with a line of text below it."""

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

LINE = 20
"""Pixels of the line of text."""

COLUMNS = 8
SEAM = 4


def labelled_grid(images: Tensor, labels: Sequence[str]) -> np.ndarray:
    """Draw images with a line of text each, eight in a row.

    Pixels are copied or repeated, never blended, so that a colour is what it was.

    Args:
        images: (N, 1 or 3, H, W), uint8, on the CPU; three channels are red, green, blue.
        labels: N short texts.

    Returns:
        The picture, RGB uint8 (height, width, 3).
    """
    times = -(-SMALLEST // images.shape[-1])
    tiles = images.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)
    tiles = F.pad(tiles, (0, 0, 0, LINE), value=255)
    picture = make_grid(tiles, nrow=COLUMNS, padding=SEAM, pad_value=255).permute(1, 2, 0).numpy()
    return _write(picture, labels, tiles.shape[-2] + SEAM, tiles.shape[-1] + SEAM)


def _write(picture: np.ndarray, labels: Sequence[str], down: int, right: int) -> np.ndarray:
    """Write a label below each tile; tiles lie ``down`` and ``right`` pixels apart."""
    height, width, _ = picture.shape
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    figure.figimage(picture)
    for number, label in enumerate(labels):
        row, column = divmod(number, COLUMNS)
        x, bottom = (column + 0.5) * right + SEAM / 2, (row + 1) * down
        # A name may hold a $, which is no formula.
        figure.text(
            x / width,
            1 - (bottom - LINE / 2) / height,
            label,
            ha="center",
            va="center",
            fontsize=8,
            parse_math=False,
        )
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
