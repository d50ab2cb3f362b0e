"""Classify images that the user names with a trained run."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from hydra.core.override_parser.types import Override
from numpy.typing import NDArray

from src.data.readers.file_selection import not_read
from src.errors import ConfigError, as_user_errors
from src.files import prepare_output_dir, remove_files, report_unwritable, table
from src.inference.load_run import TrainedRun, load_chosen_run
from src.inference.predictions import classify
from src.plotting.figure import warn_if_fails
from src.plotting.image_grid import SHEET, draw_contact_sheet
from src.predict.inputs import InputBatch, InputFiles, find_images, read_batches
from src.predict.output import show_predictions
from src.predict.settings import PredictConfig
from src.training.hardware import choose_device_and_dtype

CSV, PICTURE = "predictions.csv", "predictions.png"


@dataclass
class Results:
    """Predictions for the first images, which are shown, and totals.

    Attributes:
        files: paths of the first images, at most as many as fit on the contact sheet.
        thumbnails: uint8 (h, w, 1 or 3) of each.
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


def run(settings: PredictConfig, changes: list[Override]) -> int:
    """Classify, print and write; returns the exit code, 1 when an image could not be read."""
    if changes:
        raise ConfigError(f"{changes[0].input_line}: the images are given by input=<…> here")
    with as_user_errors():
        found = find_images(str(settings.input))
    trained = load_chosen_run(settings)
    output_dir = trained.directory.path / "predictions"
    if settings.output:
        output_dir = Path(settings.output).expanduser()
    # Pictures written by earlier calls are not inputs.
    others = [file for file in found.others if output_dir not in file.parents]
    inputs = [file for file in found.files if file != output_dir / PICTURE]
    found = InputFiles(inputs, found.problems)
    if skipped := not_read(file.name for file in others):
        print(skipped, file=sys.stderr)
    device, autocast = choose_device_and_dtype(
        settings.accelerator, settings.precision, trained.precision
    )
    classify_batch = partial(
        classify,
        trained.network.to(device),
        device=device,
        autocast=autocast,
        batch_size=settings.batch_size,
    )
    prepare_output_dir(output_dir)
    with report_unwritable(output_dir):
        results = _classify(settings, trained, found, output_dir, classify_batch)
        remove_files(output_dir, [PICTURE])
        with warn_if_fails(output_dir / PICTURE):
            _draw_sheet(output_dir / PICTURE, results, trained)
    show_predictions(results, trained, settings, output_dir)
    return 1 if results.unreadable else 0


def _classify(
    settings: PredictConfig,
    trained: TrainedRun,
    found: InputFiles,
    output_dir: Path,
    classify_batch: Callable[[NDArray[np.uint8]], NDArray[np.float64]],
) -> Results:
    height, width, channels = trained.image_shape
    results = Results()
    results.report(found.problems)
    with table(output_dir / CSV) as writer:
        writer.writerow(["file", "prediction", "probability", *trained.classes])
        for batch in read_batches(
            found.files, size=(height, width), channels=channels, batch_size=settings.batch_size
        ):
            results.report(batch.problems)
            if not batch.files:
                continue
            probabilities = classify_batch(batch.images)
            for file, row in zip(batch.files, probabilities, strict=True):
                digits = [f"{probability:.6g}" for probability in row]
                best = int(row.argmax())
                writer.writerow([file, trained.classes[best], digits[best], *digits])
            results.add(batch, probabilities)
    return results


def _draw_sheet(path: Path, results: Results, trained: TrainedRun) -> None:
    if not results.files:
        return
    predictions = [
        (trained.classes[row.argmax()], float(row.max())) for row in results.probabilities
    ]
    names = [file.name for file in results.files]
    draw_contact_sheet(path, results.thumbnails, names, predictions, total=results.count)
