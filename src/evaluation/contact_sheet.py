"""A contact sheet: small pictures of images with what a network said of them."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.drawing import new_figure, shorten, write_figure

__all__ = ["SHEET", "draw_contact_sheet"]

SHEET = 64
"""Images a sheet has at most."""

COLUMNS = 8
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

    Raises:
        OSError: the file cannot be written.
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
