"""Evaluate a trained run on its test images or on others, and against another run."""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from src.config import TrainConfig, UserError, as_user_errors
from src.config.after import EvaluateConfig
from src.data.configured import open_images
from src.data.types import ImageData
from src.drawing import write_picture
from src.evaluation.comparison import Comparison, compare
from src.evaluation.measures import confusion, measure
from src.evaluation.pictures import calibration_figure, confusion_figure, worst_mistakes
from src.evaluation.predictions import VIEWS, Predictions, predict
from src.files import replacing, write_json
from src.workflows.evaluated import show_comparison, show_evaluation
from src.workflows.hardware import choose_inference
from src.workflows.results import flat_settings
from src.workflows.trained import Trained, load_trained, with_other_data

log = logging.getLogger(__name__)


def run(settings: EvaluateConfig, changes: list[Override]) -> int:
    """Evaluate, print and write; returns the exit code.

    Raises:
        UserError: a run, its weights or the images cannot be used.
    """
    trained = load_trained(
        settings.ckpt or settings.run or "", settings.checkpoint, trust=tuple(settings.trust)
    )
    other = _other(settings, trained)
    with as_user_errors():
        data = open_images(with_other_data(trained, changes).data)
    _check_classes(trained, data)
    place = trained.directory.path / _name(changes)
    place.mkdir(exist_ok=True)
    predictions = _predict(trained, data, settings)
    figures = _figures(trained, data, settings, predictions)
    if settings.tta != "none":
        augmented = _predict(trained, data, settings, settings.tta)
        figures["tta"] = {"views": settings.tta, **measure(augmented, trained.classes)}
    write_json(place / "metrics.json", figures)
    _write_predictions(place / "predictions.csv", predictions, data.test.names, trained.classes)
    _draw(place, predictions, data, trained)
    show_evaluation(figures, trained, place)
    if other is not None:
        _check_classes(other, data)
        theirs = _predict(other, data, settings)
        _compare(trained, other, data, predictions, theirs, place)
    return 0


def _other(settings: EvaluateConfig, trained: Trained) -> Trained | None:
    """The run to compare with, found to take the same images, before any work is done."""
    if settings.against is None:
        return None
    other = load_trained(settings.against, settings.checkpoint, trust=tuple(settings.trust))
    if other.image_shape != trained.image_shape:
        raise UserError(
            f"against={settings.against}: trained on images of {other.image_shape}, not of "
            f"{trained.image_shape}"
        )
    return other


def _name(changes: list[Override]) -> str:
    """``evaluation``, with what tells other images apart, so that neither replaces the other."""
    values = [Path(str(item.value())).name for item in changes]
    words = ["".join(c if c.isalnum() or c in "-_." else "_" for c in word) for word in values]
    return "-".join(["evaluation", *words])


def _check_classes(trained: Trained, data: ImageData) -> None:
    if data.classes != trained.classes:
        raise UserError(
            f"{data.source}: its classes are {', '.join(data.classes[:12])}; the network knows "
            f"{', '.join(trained.classes[:12])}"
        )
    channels = data.test.images.shape[-1]
    if channels != trained.image_shape[2]:
        raise UserError(
            f"{data.source}: images of {channels} channels, and the network takes "
            f"{trained.image_shape[2]}; set data.channels={trained.image_shape[2]}"
        )


def _predict(
    trained: Trained, data: ImageData, settings: EvaluateConfig, views: str = "none"
) -> Predictions:
    device, autocast = choose_inference(settings.accelerator, settings.precision, trained.precision)
    return predict(
        trained.network.to(device),
        data.test.images,
        data.test.labels,
        device=device,
        autocast=autocast,
        views=VIEWS[views],
        batch_size=settings.batch_size,
    )


def _figures(
    trained: Trained, data: ImageData, settings: EvaluateConfig, predictions: Predictions
) -> dict[str, Any]:
    precision = trained.precision if settings.precision == "run" else settings.precision
    return {
        "run": str(trained.directory.path),
        "checkpoint": trained.checkpoint.name,
        "data": data.source,
        "precision": precision,
        **measure(predictions, trained.classes),
    }


def _write_predictions(
    path: Path, predictions: Predictions, names: Sequence[str], classes: Sequence[str]
) -> None:
    with replacing(path) as file:
        writer = csv.writer(file)
        writer.writerow(["index", "image", "label", "prediction", *classes])
        rows = zip(names, predictions.labels, predictions.classes, strict=True)
        for index, (name, label, guess) in enumerate(rows):
            shares = [f"{share:.6g}" for share in predictions.probabilities[index]]
            writer.writerow([index, name, classes[label], classes[guess], *shares])


def _draw(place: Path, predictions: Predictions, data: ImageData, trained: Trained) -> None:
    count = len(predictions.labels)
    title = f"{predictions.correct.mean():.2%} of {count:,} images"
    matrix = confusion(predictions, len(trained.classes))
    confusion_figure(matrix, trained.classes, title).savefig(place / "confusion.png")
    calibration_figure(predictions, title).savefig(place / "calibration.png")
    worst = worst_mistakes(predictions, data.test.images, trained.classes)
    write_picture(place / "worst.png", worst)


def _compare(
    trained: Trained,
    other: Trained,
    data: ImageData,
    predictions: Predictions,
    theirs: Predictions,
    place: Path,
) -> None:
    found = compare(predictions, theirs)
    differences = _differences(trained.config, other.config)
    write_json(
        place / "comparison.json",
        {
            "run": str(trained.directory.path),
            "against": str(other.directory.path),
            "acc": float(predictions.correct.mean()),
            "against_acc": float(theirs.correct.mean()),
            **_as_json(found),
            "settings": differences,
        },
    )
    with replacing(place / "disagreements.csv") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "image", "label", "prediction", "against"])
        names = trained.classes
        for index in found.disagreed:
            guesses = (names[predictions.classes[index]], names[theirs.classes[index]])
            label = names[predictions.labels[index]]
            writer.writerow([index, data.test.names[index], label, *guesses])
    show_comparison(predictions, theirs, found, differences, place)


def _as_json(found: Comparison) -> dict[str, Any]:
    return {
        "difference": found.difference,
        "first_only": found.first_only,
        "second_only": found.second_only,
        "p_value": found.p_value,
        "disagreed": len(found.disagreed),
    }


def _differences(ours: TrainConfig, theirs: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """The settings in which two runs differ."""
    first, second = flat_settings(ours), flat_settings(theirs)
    keys = sorted(first.keys() | second.keys())
    pairs = {key: (first.get(key), second.get(key)) for key in keys}
    return {key: (mine, other) for key, (mine, other) in pairs.items() if mine != other}
