"""Matplotlib figures that no window belongs to.

Matplotlib takes half a second to import, which a configuration error need not wait for: it is
imported when the first figure is wanted.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float, **options: Any) -> "Figure":
    """A figure of so many inches; ``options`` are ``Figure``'s own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), **options)
    FigureCanvasAgg(figure)
    return figure


def as_pixels(figure: "Figure") -> NDArray[np.uint8]:
    """The figure as it would be written: RGB, uint8 (height, width, 3)."""
    canvas: Any = figure.canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write RGB uint8 (height, width, 3) as the format that the name ends in.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib.image import imsave

    imsave(path, pixels)
