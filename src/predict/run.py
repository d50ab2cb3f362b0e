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
from src.inference.load_run import TrainedRun, load_run
from src.inference.predictions import classify
from src.plotting.figure import warn_if_fails
from src.plotting.image_grid import SHEET, draw_contact_sheet
from src.predict.inputs import Found, InputBatch, find_images, read_batches
from src.predict.output import show_predictions
from src.predict.settings import PredictConfig
from src.training.hardware import choose_inference

CSV, PICTURE = "predictions.csv", "predictions.png"


@dataclass
class Results:
    """What was said of the images, as much of it as is shown.

    Attributes:
        files: paths of the first images, at most as many as the contact sheet has.
        thumbnails: uint8 (h, w, 1 or 3) of each.
        probabilities: float64 (classes,) of each.
        count: how many images there are in all.
        unreadable: how many files and folders could not be read.
    """

    files: list[Path] = field(default_factory=list)
    thumbnails: list[NDArray[np.uint8]] = field(default_factory=list)
    probabilities: list[NDArray[np.float64]] = field(default_factory=list)
    count: int = 0
    unreadable: int = 0

    def add(self, batch: InputBatch, probabilities: NDArray[np.float64]) -> None:
        """Count a batch and keep what of it is to be shown."""
        room = SHEET - len(self.files)
        self.files += batch.files[:room]
        self.thumbnails += batch.thumbnails[:room]
        self.probabilities += list(probabilities[:room])
        self.count += len(batch.files)

    def report(self, problems: list[str]) -> None:
        """Say on stderr what could not be read."""
        self.unreadable += len(problems)
        for problem in problems:
            print(f"unreadable: {problem}", file=sys.stderr)


def run(settings: PredictConfig, changes: list[Override]) -> int:
    """Classify, print and write; returns the exit code, 1 when an image could not be read."""
    if changes:
        raise ConfigError(f"{changes[0].input_line}: the images are given by input=<…> here")
    with as_user_errors():
        found = find_images(str(settings.input))
    run_or_file = str(settings.ckpt or settings.run)
    trained = load_run(run_or_file, settings.checkpoint, trust=tuple(settings.trust))
    place = trained.directory.path / "predictions"
    if settings.output:
        place = Path(settings.output).expanduser()
    # A picture that an earlier call left in the folder is no input of this one.
    others = [file for file in found.others if place not in file.parents]
    found = Found([file for file in found.files if file != place / PICTURE], found.problems)
    if skipped := not_read(file.name for file in others):
        print(skipped, file=sys.stderr)
    device, autocast = choose_inference(settings.accelerator, settings.precision, trained.precision)
    ask = partial(
        classify,
        trained.network.to(device),
        device=device,
        autocast=autocast,
        batch_size=settings.batch_size,
    )
    prepare_output_dir(place)
    with report_unwritable(place):
        results = _classify(settings, trained, found, place, ask)
        remove_files(place, [PICTURE])
        with warn_if_fails(place / PICTURE):
            _draw(place / PICTURE, results, trained)
    show_predictions(results, trained, settings, place)
    return 1 if results.unreadable else 0


def _classify(
    settings: PredictConfig,
    trained: TrainedRun,
    found: Found,
    place: Path,
    ask: Callable[[NDArray[np.uint8]], NDArray[np.float64]],
) -> Results:
    height, width, channels = trained.image_shape
    results = Results()
    results.report(found.problems)
    with table(place / CSV) as writer:
        writer.writerow(["file", "prediction", "probability", *trained.classes])
        for batch in read_batches(
            found.files, size=(height, width), channels=channels, batch_size=settings.batch_size
        ):
            results.report(batch.problems)
            if not batch.files:
                continue
            shares = ask(batch.images)
            for file, row in zip(batch.files, shares, strict=True):
                digits = [f"{share:.6g}" for share in row]
                best = int(row.argmax())
                writer.writerow([file, trained.classes[best], digits[best], *digits])
            results.add(batch, shares)
    return results


def _draw(path: Path, results: Results, trained: TrainedRun) -> None:
    if not results.files:
        return
    guesses = [(trained.classes[row.argmax()], float(row.max())) for row in results.probabilities]
    names = [file.name for file in results.files]
    draw_contact_sheet(path, results.thumbnails, names, guesses, total=results.count)
