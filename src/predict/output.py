"""Terminal output of a prediction."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.inference.load_run import TrainedRun
from src.predict.settings import PredictConfig
from src.text import printable

if TYPE_CHECKING:
    from src.predict.run import Results


def show_predictions(
    results: Results, trained: TrainedRun, settings: PredictConfig, place: Path
) -> None:
    """Print a row an image, and where everything is."""
    console = Console()
    if results.files:
        console.print(_table(results, trained.classes, settings))
    if results.count > len(results.files):
        _say(
            console,
            f"the first {len(results.files)} of {results.count:,} images, here and in "
            "predictions.png; all of them are in predictions.csv",
        )
    unreadable = f", {results.unreadable:,} unreadable" if results.unreadable else ""
    images = "image" if results.count == 1 else "images"
    _say(console, f"{results.count:,} {images} classified by {trained.checkpoint}{unreadable}")
    _say(console, f"results in {place}")


def _table(results: Results, classes: tuple[str, ...], settings: PredictConfig) -> Table:
    top = _top_folder(results.files, settings)
    table = Table()
    table.add_column("file", overflow="fold")
    for name in ("prediction", "probability", "next best"):
        table.add_column(name, justify="right" if name == "probability" else "left")
    for file, row in zip(results.files, results.probabilities, strict=True):
        best, *others = _ranked(row, settings.top)
        rest = ", ".join(f"{printable(classes[other])} {row[other]:.1%}" for other in others)
        # Text, not a string: brackets in a name are no markup.
        name = printable(file.relative_to(top))
        cells = (name, printable(classes[best]), f"{row[best]:.1%}", rest)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _top_folder(files: list[Path], settings: PredictConfig) -> Path:
    """What need not be repeated in every row: the input, or the folder the files share."""
    source = Path(str(settings.input)).expanduser()
    return source if source.is_dir() else Path(os.path.commonpath([file.parent for file in files]))


def _ranked(row: NDArray[np.float64], top: int) -> list[int]:
    """The most probable classes first, at most ``top``; the lower label first among equals."""
    order: list[int] = np.argsort(-row, kind="stable")[:top].tolist()
    return order


def _say(console: Console, line: str) -> None:
    console.print(Text(printable(line)), soft_wrap=True)
