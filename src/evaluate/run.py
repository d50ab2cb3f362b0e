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
from src.inference.load_run import TrainedRun, load_chosen_run, override_data
from src.inference.predictions import VIEWS, Predictions, classify
from src.plotting.figure import warn_if_fails, write_figure, write_picture
from src.runs.record import command_line
from src.text import printable
from src.training.hardware import choose_device_and_dtype

log = logging.getLogger(__name__)

METRICS, TABLE = "metrics.json", "predictions.csv"
MATRIX, CALIBRATION, WORST = "confusion.png", "calibration.png", "worst.png"
FILES = (METRICS, TABLE, MATRIX, CALIBRATION, WORST, COMPARISON, DISAGREEMENTS)


def run(settings: EvaluateConfig, changes: list[Override]) -> int:
    """Evaluate, print and write; returns the exit code."""
    trained = load_chosen_run(settings)
    other = load_other_run(settings, trained)
    config = override_data(trained, changes).data
    with as_user_errors():
        data = open_images(config, training=False)
    images = _select_images(trained, config, data)
    output_dir = trained.directory.path / _folder_name(trained, changes)
    if settings.output:
        output_dir = Path(settings.output).expanduser()
    prepare_output_dir(output_dir)
    predictions = _predict(trained, images, settings)
    metrics = _all_metrics(trained, data, settings, predictions)
    if settings.tta != "none":
        augmented = _predict(trained, images, settings, settings.tta)
        metrics["tta"] = {"views": settings.tta, **measure(augmented, trained.classes)}
    other_predictions = None if other is None else _predict(other, images, settings)
    with report_unwritable(output_dir):
        remove_files(output_dir, FILES)
        write_json(output_dir / METRICS, metrics)
        _write_predictions(output_dir / TABLE, predictions, images.names, trained.classes)
        _draw(output_dir, predictions, images, trained)
    show_evaluation(metrics, trained, output_dir)
    if other is not None and other_predictions is not None:
        write_comparison(trained, other, images, predictions, other_predictions, output_dir)
    return 0


def _folder_name(trained: TrainedRun, changes: list[Override]) -> str:
    """Name of the output folder: ``evaluation`` for the best weights and the run's own images.

    Otherwise it names the checkpoint and the data settings, with a digest of these, because two
    folders of images may have the same last name.
    """
    words = ["evaluation"]
    if trained.checkpoint.resolve() != trained.directory.best.resolve():
        words.append(trained.checkpoint.stem)
    if changes:
        words += [Path(str(item.value())).name for item in changes]
        words.append(
            hashlib.sha256("\n".join(sorted(map(_normalized, changes))).encode()).hexdigest()[:8]
        )
    names = ["".join(c if c.isalnum() or c in "-_." else "_" for c in word) for word in words]
    return "-".join(name[:40] for name in names if name)


def _normalized(change: Override) -> str:
    """``key=value``, with data.root as an absolute path."""
    key, value = str(change.key_or_group), str(change.value())
    if key == "data.root":
        value = str(Path(value).expanduser().resolve())
    return f"{key}={value}"


def _select_images(trained: TrainedRun, config: DataConfig, data: ImageData) -> ImageSet:
    """The images to evaluate, with labels of the network's classes.

    These are the test images; of other data than the run's without a test set, all images.
    """
    own = trained.config.data
    other_data = (config.name, _absolute_root(config)) != (own.name, _absolute_root(own))
    images = data.test
    if data.test_held_out and other_data:
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


def _absolute_root(config: DataConfig) -> Path | None:
    return None if config.root is None else Path(config.root).expanduser().resolve()


def _predict(
    trained: TrainedRun, images: ImageSet, settings: EvaluateConfig, views: str = "none"
) -> Predictions:
    device, autocast = choose_device_and_dtype(
        settings.accelerator, settings.precision, trained.precision
    )
    probabilities = classify(
        trained.network.to(device),
        images.images,
        device=device,
        autocast=autocast,
        views=VIEWS[views],
        batch_size=settings.batch_size,
    )
    return Predictions(probabilities, images.labels)


def _all_metrics(
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


def _draw(
    output_dir: Path, predictions: Predictions, images: ImageSet, trained: TrainedRun
) -> None:
    title = accuracy_title(predictions)
    with warn_if_fails(output_dir / MATRIX):
        matrix = confusion(predictions, len(trained.classes))
        write_figure(output_dir / MATRIX, confusion_figure(matrix, trained.classes, title))
    with warn_if_fails(output_dir / CALIBRATION):
        write_figure(output_dir / CALIBRATION, calibration_figure(predictions, title))
    with warn_if_fails(output_dir / WORST):
        worst = worst_mistakes(predictions, images.images, trained.classes)
        write_picture(output_dir / WORST, worst)
