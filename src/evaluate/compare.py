"""Comparison of two runs on the same images: McNemar's test, settings that differ."""

from pathlib import Path
from typing import Any

from src.config.run_key import flat_settings
from src.config.schema import TrainConfig
from src.data.types import ImageSet
from src.errors import UserError
from src.evaluate.mcnemar import Comparison, compare
from src.evaluate.output import show_comparison
from src.evaluate.settings import EvaluateConfig
from src.files import report_unwritable, table, write_json
from src.inference.load_run import TrainedRun, load_run
from src.inference.predictions import Predictions

COMPARISON, DISAGREEMENTS = "comparison.json", "disagreements.csv"


def load_other_run(settings: EvaluateConfig, trained: TrainedRun) -> TrainedRun | None:
    """The run of ``against=``, if given; it must have the same classes and image shape."""
    if settings.against is None:
        return None
    other = load_run(settings.against, settings.checkpoint, trust=tuple(settings.trust))
    if other.image_shape != trained.image_shape:
        raise UserError(
            f"against={settings.against}: trained on images of {other.image_shape}, not of "
            f"{trained.image_shape}"
        )
    if other.classes != trained.classes:
        raise UserError(
            f"against={settings.against}: its classes are {', '.join(other.classes[:12])}; those "
            f"of the run are {', '.join(trained.classes[:12])}"
        )
    return other


def write_comparison(
    trained: TrainedRun,
    other: TrainedRun,
    images: ImageSet,
    predictions: Predictions,
    other_predictions: Predictions,
    output_dir: Path,
) -> None:
    """Write and print the differences of two runs."""
    comparison = compare(predictions, other_predictions)
    differences = _differing_settings(trained.config, other.config)
    with report_unwritable(output_dir):
        write_json(
            output_dir / COMPARISON,
            {
                "run": str(trained.directory.path),
                "against": str(other.directory.path),
                "acc": float(predictions.correct.mean()),
                "against_acc": float(other_predictions.correct.mean()),
                **_as_json(comparison),
                "settings": differences,
            },
        )
        with table(output_dir / DISAGREEMENTS) as writer:
            writer.writerow(["index", "image", "label", "prediction", "against"])
            names = trained.classes
            for index in comparison.disagreed:
                first = names[predictions.classes[index]]
                second = names[other_predictions.classes[index]]
                label = names[predictions.labels[index]]
                writer.writerow([index, images.names[index], label, first, second])
    show_comparison(predictions, other_predictions, comparison, differences, output_dir)


def _as_json(comparison: Comparison) -> dict[str, Any]:
    return {
        "difference": comparison.difference,
        "first_only": comparison.first_only,
        "second_only": comparison.second_only,
        "p_value": comparison.p_value,
        "disagreed": len(comparison.disagreed),
    }


def _differing_settings(
    config: TrainConfig, other_config: TrainConfig
) -> dict[str, tuple[Any, Any]]:
    ours, theirs = flat_settings(config), flat_settings(other_config)
    keys = sorted(ours.keys() | theirs.keys())
    return {key: pair for key in keys if (pair := (ours.get(key), theirs.get(key)))[0] != pair[1]}
