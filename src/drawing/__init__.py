"""Pictures without a window: figures, and images in a grid."""

from src.drawing.figure import as_pixels, as_png, new_figure, optional, write_figure, write_picture
from src.drawing.grid import labelled_grid
from src.drawing.text import shorten

__all__ = [
    "as_pixels",
    "as_png",
    "labelled_grid",
    "new_figure",
    "optional",
    "shorten",
    "write_figure",
    "write_picture",
]
