"""Matplotlib figures without a window.

Matplotlib is imported with the first figure, because it takes half a second, which a
configuration error need not wait for.
"""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from src.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


log = logging.getLogger(__name__)


@contextmanager
def warn_if_fails(what: object) -> Iterator[None]:
    """Log a warning instead of failing when a picture cannot be drawn or written.

    A run's results are not lost for a picture of them. ``what`` is its name or path.
    """
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        log.warning("%s: no such picture (%s: %s)", what, type(error).__name__, reason)
        log.debug("the error", exc_info=True)


def new_figure(width: float, height: float, **options: Any) -> "Figure":
    """New figure of a size in inches; ``options`` are those of matplotlib's ``Figure``."""
    from matplotlib import rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A $ in the name of a class or a file does not start a formula.
    rcParams["text.parse_math"] = False
    figure = Figure(figsize=(width, height), **options)
    FigureCanvasAgg(figure)
    return figure


def as_pixels(figure: "Figure") -> NDArray[np.uint8]:
    """Rendered figure: RGB, uint8 (height, width, 3)."""
    canvas: Any = figure.canvas
    with _no_glyph_warnings():
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def as_png(figure: "Figure", dpi: float = 110) -> bytes:
    """Rendered figure as the bytes of a PNG file."""
    file = io.BytesIO()
    with _no_glyph_warnings():
        figure.savefig(file, format="png", dpi=dpi)
    return file.getvalue()


def write_figure(path: Path, figure: "Figure", dpi: float = 110) -> None:
    """Write a figure as PNG."""
    with replacing(path, "wb") as file:
        file.write(as_png(figure, dpi))


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write RGB uint8 (height, width, 3) as PNG."""
    from matplotlib.image import imsave

    with replacing(path, "wb") as file:
        imsave(cast(BinaryIO, file), pixels, format="png")


@contextmanager
def _no_glyph_warnings() -> Iterator[None]:
    """Suppress a warning on stderr for each letter that the font lacks; it is drawn as a box."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield
