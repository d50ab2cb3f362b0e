"""Evaluate a trained run on its test images or on others, alone or against another run."""

import hashlib
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.override_parser.types import Override

from src.config.schema import DataConfig, EvaluateConfig
from src.data.image_data import ImageData, ImageSet
from src.data.load import open_images
from src.errors import UserError, as_user_errors
from src.evaluate.compare import COMPARISON, DISAGREEMENTS, load_other_run, write_comparison
from src.evaluate.metrics import measure
from src.evaluate.output import show_comparison, show_evaluation
from src.evaluate.plots import calibration_figure, confusion_figure, worst_mistakes
from src.files import output_folder, table, write_json
from src.inference.load_run import TrainedRun, load_chosen_run, override_data
from src.inference.predictions import Predictions, classifier_of
from src.plotting import warn_if_fails, write_figure, write_picture
from src.runs.record import command_line
from src.text import printable

log = logging.getLogger(__name__)

METRICS_FILE, TABLE = "metrics.json", "predictions.csv"
MATRIX, CALIBRATION, WORST = "confusion.png", "calibration.png", "worst.png"
FILES = (METRICS_FILE, TABLE, MATRIX, CALIBRATION, WORST, COMPARISON, DISAGREEMENTS)


def run(settings: EvaluateConfig, changes: list[Override]) -> int:
    """Evaluate a run, print and write its metrics; returns the exit code.

    ``changes`` are overrides of ``data``, the settings of the images.
    """
    trained = load_chosen_run(settings)
    other = load_other_run(settings, trained)
    config = override_data(trained, changes)
    with as_user_errors():
        data = open_images(config, training=False)
    images = _select_images(trained, config, data)

    def predict(network: TrainedRun, tta: str = "none") -> Predictions:
        return Predictions(classifier_of(network, settings, tta)(images.images), images.labels)

    default = trained.directory.path / _folder_name(trained, changes)
    with output_folder(settings.output, default) as output_dir:
        predictions = predict(trained)
        metrics = _all_metrics(trained, data, settings, predictions)
        if settings.tta != "none":
            augmented = measure(predict(trained, settings.tta), trained.classes)
            metrics["tta"] = {"views": settings.tta, **augmented}
        against = (other, predict(other)) if other else None
        # Files of an earlier evaluation would be taken for results of this one.
        for name in FILES:
            (output_dir / name).unlink(missing_ok=True)
        write_json(output_dir / METRICS_FILE, metrics)
        _write_predictions(output_dir / TABLE, predictions, images.names, trained.classes)
        with warn_if_fails(output_dir / MATRIX):
            write_figure(output_dir / MATRIX, confusion_figure(predictions, trained.classes))
        with warn_if_fails(output_dir / CALIBRATION):
            write_figure(output_dir / CALIBRATION, calibration_figure(predictions))
        with warn_if_fails(output_dir / WORST):
            mistakes = worst_mistakes(predictions, images.images, trained.classes)
            write_picture(output_dir / WORST, mistakes)
        if against:
            comparison = write_comparison((trained, predictions), against, images, output_dir)
    show_evaluation(metrics, trained, output_dir)
    if against:
        show_comparison(comparison, output_dir / DISAGREEMENTS)
    return 0


def _folder_name(trained: TrainedRun, changes: list[Override]) -> str:
    """Name of the results' folder: ``evaluation``, then the checkpoint unless it is the best.

    Values of changed data settings follow, and a digest of them, which tells folders of images with
    the same last name apart.
    """
    words = ["evaluation"]
    if trained.checkpoint.resolve() != trained.directory.best.resolve():
        words.append(trained.checkpoint.stem)
    if changes:
        values = {str(item.key_or_group): str(item.value()) for item in changes}
        words += [Path(value).name for value in values.values()]
        if "data.root" in values:
            values["data.root"] = str(_absolute(values["data.root"]))
        settings = "\n".join(sorted(f"{key}={value}" for key, value in values.items()))
        words.append(hashlib.sha256(settings.encode()).hexdigest()[:8])
    names = [re.sub(r"[^\w.-]", "_", word)[:40] for word in words]
    return "-".join(filter(None, names))


def _select_images(trained: TrainedRun, config: DataConfig, data: ImageData) -> ImageSet:
    """The test images, or all images of other data that has no test set.

    Their labels are those of the network's classes.
    """
    own = trained.config.data
    other_data = (config.name, _absolute(config.root)) != (own.name, _absolute(own.root))
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
    known = {name: label for label, name in enumerate(trained.classes)}
    labels = np.array([known.get(name, -1) for name in data.classes])[images.labels]
    if (labels < 0).any():
        unknown = [data.classes[label] for label in np.unique(images.labels[labels < 0])]
        raise UserError(
            f"{data.source}: the network knows no class {', '.join(map(printable, unknown[:12]))}; "
            f"it knows {', '.join(map(printable, trained.classes[:12]))}"
        )
    return ImageSet(images.images, labels, images.names)


def _absolute(root: str | None) -> Path | None:
    return Path(root).expanduser().resolve() if root else None


def _all_metrics(
    trained: TrainedRun, data: ImageData, settings: EvaluateConfig, predictions: Predictions
) -> dict[str, Any]:
    # The number format; "precision" within ``measure`` is the metric of each class.
    number_format = trained.precision if settings.precision == "run" else settings.precision
    return {
        "command": command_line(),
        "run": str(trained.directory.path),
        "checkpoint": trained.checkpoint.name,
        "data": data.description,
        "precision": number_format,
        **measure(predictions, trained.classes),
    }


def _write_predictions(
    path: Path, predictions: Predictions, names: Sequence[str], classes: Sequence[str]
) -> None:
    with table(path) as writer:
        writer.writerow(["index", "image", "label", "prediction", *classes])
        rows = zip(names, predictions.labels, predictions.predicted, strict=True)
        for index, (name, label, guess) in enumerate(rows):
            probabilities = [f"{value:.6g}" for value in predictions.probabilities[index]]
            writer.writerow([index, name, classes[label], classes[guess], *probabilities])
