"""Evaluate a trained run on its test images or on others, alone or against another run."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.override_parser.types import Override

from src.config.schema import DataConfig
from src.data.load import open_images
from src.data.types import ImageData, ImageSet
from src.errors import UserError, as_user_errors
from src.evaluate.compare import COMPARISON, DISAGREEMENTS, load_other_run, write_comparison
from src.evaluate.metrics import confusion, measure
from src.evaluate.output import show_evaluation
from src.evaluate.plots import accuracy_title, calibration_figure, confusion_figure, worst_mistakes
from src.evaluate.settings import EvaluateConfig
from src.files import prepare_output_dir, remove_files, report_unwritable, table, write_json
from src.inference.load_run import TrainedRun, load_run, override_data
from src.inference.predictions import VIEWS, Predictions, predict
from src.plotting.figure import warn_if_fails, write_figure, write_picture
from src.runs.record import command_line
from src.text import printable
from src.training.hardware import choose_inference

log = logging.getLogger(__name__)

METRICS, TABLE = "metrics.json", "predictions.csv"
MATRIX, CALIBRATION, WORST = "confusion.png", "calibration.png", "worst.png"
FILES = (METRICS, TABLE, MATRIX, CALIBRATION, WORST, COMPARISON, DISAGREEMENTS)


def run(settings: EvaluateConfig, changes: list[Override]) -> int:
    """Evaluate, print and write; returns the exit code."""
    trained = load_run(
        settings.ckpt or settings.run or "", settings.checkpoint, trust=tuple(settings.trust)
    )
    other = load_other_run(settings, trained)
    config = override_data(trained, changes).data
    with as_user_errors():
        data = open_images(config, training=False)
    images = _images(trained, config, data)
    place = trained.directory.path / _name(trained, changes)
    if settings.output:
        place = Path(settings.output).expanduser()
    prepare_output_dir(place)
    predictions = _predict(trained, images, settings)
    figures = _figures(trained, data, settings, predictions)
    if settings.tta != "none":
        augmented = _predict(trained, images, settings, settings.tta)
        figures["tta"] = {"views": settings.tta, **measure(augmented, trained.classes)}
    theirs = None if other is None else _predict(other, images, settings)
    with report_unwritable(place):
        remove_files(place, FILES)
        write_json(place / METRICS, figures)
        _write_predictions(place / TABLE, predictions, images.names, trained.classes)
        _draw(place, predictions, images, trained)
    show_evaluation(figures, trained, place)
    if other is not None and theirs is not None:
        write_comparison(trained, other, images, predictions, theirs, place)
    return 0


def _name(trained: TrainedRun, changes: list[Override]) -> str:
    """``evaluation`` for the best weights and the run's own images.

    Other weights and other images have folders of their own: the name says which, and ends with
    a digest of what was changed, since two folders of images may share their last name.
    """
    words = ["evaluation"]
    if trained.checkpoint.resolve() != trained.directory.best.resolve():
        words.append(trained.checkpoint.stem)
    if changes:
        words += [Path(str(item.value())).name for item in changes]
        words.append(
            hashlib.sha256("\n".join(sorted(map(_meant, changes))).encode()).hexdigest()[:8]
        )
    names = ["".join(c if c.isalnum() or c in "-_." else "_" for c in word) for word in words]
    return "-".join(name[:40] for name in names if name)


def _meant(change: Override) -> str:
    """``key=value``, with the place of the images from the root of the file system."""
    key, value = str(change.key_or_group), str(change.value())
    if key == "data.root":
        value = str(Path(value).expanduser().resolve())
    return f"{key}={value}"


def _images(trained: TrainedRun, config: DataConfig, data: ImageData) -> ImageSet:
    """The images to evaluate, labelled as the network's classes are.

    Those for testing; all there are where other images than the run's have none for testing.
    """
    own = trained.config.data
    others = (config.name, _place(config)) != (own.name, _place(own))
    images = data.test
    if data.test_held_out and others:
        images = data.whole
        log.info("%s has no images for testing: all are evaluated", data.source)
    if not len(images):
        raise UserError(f"{data.source}: there are no test images")
    channels = images.images.shape[-1]
    if channels != trained.image_shape[2]:
        raise UserError(
            f"{data.source}: images of {channels} channels, and the network takes "
            f"{trained.image_shape[2]}; set data.channels={trained.image_shape[2]}"
        )
    present = [data.classes[label] for label in np.unique(images.labels)]
    unknown = [name for name in present if name not in trained.classes]
    if unknown:
        raise UserError(
            f"{data.source}: the network knows no class {', '.join(map(printable, unknown[:12]))}; "
            f"it knows {', '.join(map(printable, trained.classes[:12]))}"
        )
    known = {name: number for number, name in enumerate(trained.classes)}
    labels = np.array([known.get(name, -1) for name in data.classes])[images.labels]
    return ImageSet(images.images, labels, images.names)


def _place(config: DataConfig) -> Path | None:
    return None if config.root is None else Path(config.root).expanduser().resolve()


def _predict(
    trained: TrainedRun, images: ImageSet, settings: EvaluateConfig, views: str = "none"
) -> Predictions:
    device, autocast = choose_inference(settings.accelerator, settings.precision, trained.precision)
    return predict(
        trained.network.to(device),
        images.images,
        images.labels,
        device=device,
        autocast=autocast,
        views=VIEWS[views],
        batch_size=settings.batch_size,
    )


def _figures(
    trained: TrainedRun, data: ImageData, settings: EvaluateConfig, predictions: Predictions
) -> dict[str, Any]:
    precision = trained.precision if settings.precision == "run" else settings.precision
    return {
        "command": command_line(),
        "run": str(trained.directory.path),
        "checkpoint": trained.checkpoint.name,
        "data": data.description,
        "precision": precision,
        **measure(predictions, trained.classes),
    }


def _write_predictions(
    path: Path, predictions: Predictions, names: Sequence[str], classes: Sequence[str]
) -> None:
    with table(path) as writer:
        writer.writerow(["index", "image", "label", "prediction", *classes])
        rows = zip(names, predictions.labels, predictions.classes, strict=True)
        for index, (name, label, guess) in enumerate(rows):
            shares = [f"{share:.6g}" for share in predictions.probabilities[index]]
            writer.writerow([index, name, classes[label], classes[guess], *shares])


def _draw(place: Path, predictions: Predictions, images: ImageSet, trained: TrainedRun) -> None:
    title = accuracy_title(predictions)
    with warn_if_fails(place / MATRIX):
        matrix = confusion(predictions, len(trained.classes))
        write_figure(place / MATRIX, confusion_figure(matrix, trained.classes, title))
    with warn_if_fails(place / CALIBRATION):
        write_figure(place / CALIBRATION, calibration_figure(predictions, title))
    with warn_if_fails(place / WORST):
        worst = worst_mistakes(predictions, images.images, trained.classes)
        write_picture(place / WORST, worst)
