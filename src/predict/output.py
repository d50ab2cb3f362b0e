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
    results: Results, trained: TrainedRun, settings: PredictConfig, output_dir: Path
) -> None:
    """Print a row for each of the first images, totals, and where the results are."""
    console = Console()
    if results.files:
        console.print(_table(results, trained.classes, settings))
    if results.count > len(results.files):
        _print_line(
            console,
            f"the first {len(results.files)} of {results.count:,} images, here and in "
            "predictions.png; all of them are in predictions.csv",
        )
    unreadable = f", {results.unreadable:,} unreadable" if results.unreadable else ""
    images = "image" if results.count == 1 else "images"
    _print_line(
        console, f"{results.count:,} {images} classified by {trained.checkpoint}{unreadable}"
    )
    _print_line(console, f"results in {output_dir}")


def _table(results: Results, classes: tuple[str, ...], settings: PredictConfig) -> Table:
    top = _base_folder(results.files, settings)
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


def _base_folder(files: list[Path], settings: PredictConfig) -> Path:
    """Folder that the paths in the table are relative to: the input, or the files' common one."""
    source = Path(str(settings.input)).expanduser()
    return source if source.is_dir() else Path(os.path.commonpath([file.parent for file in files]))


def _ranked(row: NDArray[np.float64], top: int) -> list[int]:
    """The ``top`` most probable classes in order; of equal ones the lower label first."""
    order: list[int] = np.argsort(-row, kind="stable")[:top].tolist()
    return order


def _print_line(console: Console, line: str) -> None:
    console.print(Text(printable(line)), soft_wrap=True)
