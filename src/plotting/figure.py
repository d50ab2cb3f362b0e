"""Matplotlib figures that no window belongs to.

Matplotlib takes half a second to import, which a configuration error need not wait for: it is
imported when the first figure is wanted.
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
    """Go on without a picture that cannot be drawn or written, with a warning that says why.

    What was computed is worth more than a picture of it.

    Args:
        what: the picture, a name or a path.
    """
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        log.warning("%s: no such picture (%s: %s)", what, type(error).__name__, reason)
        log.debug("the error", exc_info=True)


def new_figure(width: float, height: float, **options: Any) -> "Figure":
    """A figure of so many inches; ``options`` are ``Figure``'s own."""
    from matplotlib import rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A $ in the name of a class or a file begins no formula; nothing here is one.
    rcParams["text.parse_math"] = False
    figure = Figure(figsize=(width, height), **options)
    FigureCanvasAgg(figure)
    return figure


def as_pixels(figure: "Figure") -> NDArray[np.uint8]:
    """The figure as it would be written: RGB, uint8 (height, width, 3)."""
    canvas: Any = figure.canvas
    with _no_glyph_warnings():
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def as_png(figure: "Figure", dpi: float = 110) -> bytes:
    """The figure as the content of a PNG file."""
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
    """Letters that the font lacks are drawn as boxes, without a word on stderr for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield
