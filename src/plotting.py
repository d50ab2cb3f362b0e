"""Matplotlib figures without a window: pictures, images in a grid, learning curves.

Matplotlib is imported with the first figure, because it takes half a second, which a
configuration error need not wait for.
"""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from src.files import replacing
from src.runs.directory import RunDirectory
from src.runs.reader import read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

DPI = 110

COLUMNS = 8  # images in a row
MIN_TILE_WIDTH = 96  # pixels; smaller images are magnified by a whole number
LINE_HEIGHT = 14  # pixels
SEAM = 4  # pixels between images
GRID_DPI = 100


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


def new_figure(width: float, height: float, dpi: float = DPI, **options: Any) -> "Figure":
    """New figure of a size in inches; ``options`` are those of matplotlib's ``Figure``."""
    from matplotlib import rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A $ in the name of a class or a file does not start a formula.
    rcParams["text.parse_math"] = False
    figure = Figure(figsize=(width, height), dpi=dpi, **options)
    FigureCanvasAgg(figure)
    return figure


def as_pixels(figure: "Figure") -> NDArray[np.uint8]:
    """Rendered figure: RGB, uint8 (height, width, 3)."""
    canvas: Any = figure.canvas
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """RGB uint8 (height, width, 3) as the bytes of a PNG file."""
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, pixels, format="png", dpi=DPI)
    return file.getvalue()


def write_figure(path: Path, figure: "Figure") -> None:
    """Write a figure as PNG."""
    write_picture(path, as_pixels(figure))


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write RGB uint8 (height, width, 3) as PNG."""
    with replacing(path, "wb") as file:
        file.write(as_png(pixels))


def image_grid(images: NDArray[np.uint8], labels: Sequence[str]) -> NDArray[np.uint8]:
    """Draw images with a label each, eight in a row: RGB uint8 (height, width, 3).

    ``images`` are uint8 (N, H, W, 1 or 3), at least one. Pixels are copied or repeated, never
    interpolated, so that colors stay exact.
    """
    times = -(-MIN_TILE_WIDTH // images.shape[2])
    tiles = images.repeat(times, axis=1).repeat(times, axis=2)
    strip = LINE_HEIGHT * max(label.count("\n") + 1 for label in labels) + SEAM
    tile_height, tile_width = tiles.shape[1:3]
    down, right = tile_height + strip + SEAM, tile_width + SEAM
    rows, columns = -(-len(tiles) // COLUMNS), min(COLUMNS, len(tiles))
    height, width = SEAM + rows * down, SEAM + columns * right
    picture = np.full((height, width, 3), 255, np.uint8)
    figure = new_figure(width / GRID_DPI, height / GRID_DPI, dpi=GRID_DPI)
    for number, (tile, label) in enumerate(zip(tiles, labels, strict=True)):
        row, column = divmod(number, COLUMNS)
        top, left = SEAM + row * down, SEAM + column * right
        picture[top : top + tile_height, left : left + tile_width] = tile
        center = (left + tile_width / 2) / width, 1 - (top + tile_height + strip / 2) / height
        figure.text(*center, label, ha="center", va="center", fontsize=8)
    figure.figimage(picture)
    return as_pixels(figure)


def draw_curves(directory: RunDirectory, title: str) -> None:
    """Draw the logged rows of a run into ``curves.png``.

    Curves differ in line and marker as well as in color, for print in gray.
    """
    rows = read_rows(directory)
    figure = new_figure(10, 3.2, layout="constrained")
    loss, accuracy, rate = figure.subplots(1, 3)
    star = {"marker": "*", "linestyle": "none"}
    for axes, name, scale in ((loss, "loss", 1.0), (accuracy, "acc", 100.0)):
        _plot(axes, rows, f"train/{name}", scale, label="training", color="0.55", linewidth=1)
        _plot(axes, rows, f"val/{name}", scale, label="validation", color="tab:blue", marker="o")
        _plot(axes, rows, f"test/{name}", scale, label="test", color="black", **star)
        axes.legend(frameon=False)
    _plot(rate, rows, "lr", 1.0, color="tab:blue")
    for axes, label in ((loss, "loss"), (accuracy, "accuracy in %"), (rate, "learning rate")):
        axes.set_xlabel("step")
        axes.set_title(label, fontsize="medium")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    accuracy.set_ylim(0, 100)
    rate.set_ylim(bottom=0)
    figure.suptitle(title, fontsize="medium")
    write_figure(directory.path / "curves.png", figure)


def _plot(
    axes: "Axes", rows: list[dict[str, float]], name: str, scale: float, **style: Any
) -> None:
    points = [(row["step"] + 1, scale * row[name]) for row in rows if name in row]
    if points:
        axes.plot(*zip(*points, strict=True), **style)
