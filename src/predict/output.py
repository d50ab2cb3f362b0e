"""What a prediction shows: a table on the terminal, and a contact sheet."""

import math
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Column, Table

from src.config.schema import PredictConfig
from src.console import plain_console
from src.inference.load_run import TrainedRun
from src.plotting import COLUMNS, new_figure, write_figure
from src.predict.inputs import InputImage
from src.text import printable, shorten

SHEET = 64  # images on a contact sheet and in the table, at most
MAX_LETTERS = 22


@dataclass
class Results:
    """The first images with their probabilities, (classes,), which are shown; and totals."""

    shown: list[tuple[InputImage, NDArray[np.float64]]] = field(default_factory=list)
    count: int = 0  # classified images
    unreadable: int = 0  # files and folders

    def add(self, images: list[InputImage], probabilities: NDArray[np.float64]) -> None:
        """Count the images of a batch, and keep them while there is room."""
        room = SHEET - len(self.shown)
        self.shown += zip(images[:room], probabilities[:room], strict=True)
        self.count += len(images)

    def report(self, problems: list[str]) -> None:
        """Count unreadable files and print them on stderr."""
        self.unreadable += len(problems)
        for problem in problems:
            print(f"unreadable: {problem}", file=sys.stderr)


def show_predictions(
    results: Results, trained: TrainedRun, settings: PredictConfig, output_dir: Path
) -> None:
    """Print a row for each of the first images, totals, and where the results are."""
    console = plain_console()
    if results.shown:
        console.print(_table(results, trained.classes, settings))
    if results.count > len(results.shown):
        console.print(
            f"the first {len(results.shown)} of {results.count:,} images, here and in "
            "predictions.png; all of them are in predictions.csv",
            soft_wrap=True,
        )
    images = "image" if results.count == 1 else "images"
    unreadable = f", {results.unreadable:,} unreadable" if results.unreadable else ""
    total = f"{results.count:,} {images} classified by {trained.checkpoint}{unreadable}"
    console.print(printable(total), soft_wrap=True)
    console.print(printable(f"results in {output_dir}"), soft_wrap=True)


def _table(results: Results, classes: tuple[str, ...], settings: PredictConfig) -> Table:
    # Names are relative to the input, or to the common folder of its files.
    top = Path(str(settings.input)).expanduser()
    if not top.is_dir():
        top = Path(os.path.commonpath([image.file.parent for image, _ in results.shown]))
    probability = Column("probability", justify="right")
    table = Table(Column("file", overflow="fold"), "prediction", probability, "next best")
    for image, row in results.shown:
        # Of equally probable classes the lower label comes first.
        best, *others = np.argsort(-row, kind="stable")[: settings.top].tolist()
        rest = ", ".join(f"{printable(classes[other])} {row[other]:.1%}" for other in others)
        name = printable(image.file.relative_to(top))
        table.add_row(name, printable(classes[best]), f"{row[best]:.1%}", rest)
    return table


def draw_contact_sheet(path: Path, results: Results, classes: tuple[str, ...]) -> None:
    """Draw the first images, at least one, each over its name, under its class and probability."""
    count = len(results.shown)
    columns = min(COLUMNS, max(2, math.ceil(math.sqrt(count))))
    rows = -(-count // columns)
    figure = new_figure(1.5 * columns, 1.85 * rows + 0.3, layout="constrained")
    bare = {"frame_on": False, "xticks": [], "yticks": []}
    panels = figure.subplots(rows, columns, squeeze=False, subplot_kw=bare).ravel()
    for panel, (image, row) in zip(panels, results.shown, strict=False):
        panel.imshow(image.thumbnail, cmap="gray", vmin=0, vmax=255)
        predicted = shorten(classes[row.argmax()], MAX_LETTERS - 5, keep_end=True)
        panel.set_title(f"{predicted} {row.max():.0%}", fontsize=8)
        name = shorten(image.file.name, MAX_LETTERS, keep_end=True)
        panel.set_xlabel(name, fontsize=6, color="0.4")
    if results.count > count:
        figure.suptitle(f"the first {count} of {results.count:,} images", fontsize=9)
    write_figure(path, figure)
