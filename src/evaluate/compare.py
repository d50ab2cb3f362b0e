"""Comparison with another run on the same images: McNemar's test, settings that differ."""

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
    """The run to compare with, if one is asked for."""
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
    theirs: Predictions,
    place: Path,
) -> None:
    """Write and print where two runs differ.

    Args:
        trained: the run that is evaluated.
        other: the one it is compared with.
        images: the images that both were asked about.
        predictions: what the first said of them.
        theirs: what the other said.
        place: the folder of the results.
    """
    found = compare(predictions, theirs)
    differences = _differences(trained.config, other.config)
    with report_unwritable(place):
        write_json(
            place / COMPARISON,
            {
                "run": str(trained.directory.path),
                "against": str(other.directory.path),
                "acc": float(predictions.correct.mean()),
                "against_acc": float(theirs.correct.mean()),
                **_as_json(found),
                "settings": differences,
            },
        )
        with table(place / DISAGREEMENTS) as writer:
            writer.writerow(["index", "image", "label", "prediction", "against"])
            names = trained.classes
            for index in found.disagreed:
                guesses = (names[predictions.classes[index]], names[theirs.classes[index]])
                label = names[predictions.labels[index]]
                writer.writerow([index, images.names[index], label, *guesses])
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
