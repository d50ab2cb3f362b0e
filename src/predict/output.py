"""What a prediction shows: a table on the terminal, and a contact sheet."""

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.inference.load_run import TrainedRun
from src.plotting.figure import COLUMNS, new_figure, write_figure
from src.predict.inputs import InputBatch
from src.predict.settings import PredictConfig
from src.text import printable, shorten

SHEET = 64
"""Images on a contact sheet and in the table, at most."""
MAX_LETTERS = 22


@dataclass
class Results:
    """Predictions for the first images, which are shown, and totals.

    Attributes:
        files: paths of the first images.
        thumbnails: uint8 (h, w, 1 or 3) of each, gray or RGB.
        probabilities: float64 (classes,) of each.
        count: number of all classified images.
        unreadable: number of unreadable files and folders.
    """

    files: list[Path] = field(default_factory=list)
    thumbnails: list[NDArray[np.uint8]] = field(default_factory=list)
    probabilities: list[NDArray[np.float64]] = field(default_factory=list)
    count: int = 0
    unreadable: int = 0

    def add(self, batch: InputBatch, probabilities: NDArray[np.float64]) -> None:
        """Count a batch, and keep its images while there is room."""
        room = SHEET - len(self.files)
        self.files += batch.files[:room]
        self.thumbnails += batch.thumbnails[:room]
        self.probabilities += list(probabilities[:room])
        self.count += len(batch.files)

    def report(self, problems: list[str]) -> None:
        """Count unreadable files and print them on stderr."""
        self.unreadable += len(problems)
        for problem in problems:
            print(f"unreadable: {problem}", file=sys.stderr)


def show_predictions(
    results: Results, trained: TrainedRun, settings: PredictConfig, output_dir: Path
) -> None:
    """Print a row for each of the first images, totals, and where the results are."""
    console = Console()
    if results.files:
        console.print(_table(results, trained.classes, settings))
    for line in _totals(results, trained, output_dir):
        console.print(Text(printable(line)), soft_wrap=True)


def _totals(results: Results, trained: TrainedRun, output_dir: Path) -> Iterator[str]:
    if results.count > len(results.files):
        yield (
            f"the first {len(results.files)} of {results.count:,} images, here and in "
            "predictions.png; all of them are in predictions.csv"
        )
    unreadable = f", {results.unreadable:,} unreadable" if results.unreadable else ""
    images = "image" if results.count == 1 else "images"
    yield f"{results.count:,} {images} classified by {trained.checkpoint}{unreadable}"
    yield f"results in {output_dir}"


def _table(results: Results, classes: tuple[str, ...], settings: PredictConfig) -> Table:
    # Names are relative to the input, or to the common folder of its files.
    top = Path(str(settings.input)).expanduser()
    if not top.is_dir():
        top = Path(os.path.commonpath([file.parent for file in results.files]))
    table = Table()
    table.add_column("file", overflow="fold")
    for name in ("prediction", "probability", "next best"):
        table.add_column(name, justify="right" if name == "probability" else "left")
    for file, row in zip(results.files, results.probabilities, strict=True):
        # Of equally probable classes the lower label comes first.
        best, *others = np.argsort(-row, kind="stable")[: settings.top].tolist()
        rest = ", ".join(f"{printable(classes[other])} {row[other]:.1%}" for other in others)
        name = printable(file.relative_to(top))
        cells = (name, printable(classes[best]), f"{row[best]:.1%}", rest)
        # Text, not a string: brackets in a name are no markup.
        table.add_row(*(Text(cell) for cell in cells))
    return table


def draw_contact_sheet(path: Path, results: Results, classes: tuple[str, ...]) -> None:
    """Draw the first images, at least one, each over its name, under its class and probability."""
    count = len(results.files)
    columns = min(COLUMNS, max(2, math.ceil(math.sqrt(count))))
    rows = -(-count // columns)
    figure = new_figure(1.5 * columns, 1.85 * rows + 0.3, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    shown = zip(panels, results.thumbnails, results.files, results.probabilities, strict=False)
    for panel, image, file, row in shown:
        # A gray image, (h, w, 1), is repeated over the colors.
        panel.imshow(np.broadcast_to(image, (*image.shape[:2], 3)))
        predicted = shorten(classes[row.argmax()], MAX_LETTERS - 5, keep_end=True)
        panel.set_title(f"{predicted} {row.max():.0%}", fontsize=8)
        name = shorten(file.name, MAX_LETTERS, keep_end=True)
        place = {"transform": panel.transAxes, "ha": "center", "va": "top"}
        panel.text(0.5, -0.03, name, fontsize=6, color="0.4", **place)
    if results.count > count:
        figure.suptitle(f"the first {count} of {results.count:,} images", fontsize=9)
    write_figure(path, figure)
