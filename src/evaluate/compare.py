"""Comparison of two runs on the same images: McNemar's test, settings that differ."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from src.config.run_key import flat_settings
from src.config.schema import EvaluateConfig
from src.data.image_data import ImageSet
from src.errors import UserError
from src.files import table, write_json
from src.inference.load_run import TrainedRun, load_run
from src.inference.predictions import Predictions

COMPARISON, DISAGREEMENTS = "comparison.json", "disagreements.csv"


def load_other_run(settings: EvaluateConfig, trained: TrainedRun) -> TrainedRun | None:
    """The run of ``against=``, if given; it must have the same classes and image shape."""
    if settings.against is None:
        return None
    other = load_run(settings.against, settings.checkpoint, trust=settings.trust)
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


def compare(first: Predictions, second: Predictions) -> dict[str, Any]:
    """Compare the predictions of two networks for the same images, as in ``comparison.json``.

    ``first_only`` and ``second_only`` count the images that only one classifies correctly;
    ``p_value`` is the two-sided one of McNemar's exact (binomial) test of equal accuracy, 1 without
    such images (Psychometrika 12, 1947, page 153); ``disagreed`` counts different predictions.
    """
    first_only = int((first.correct & ~second.correct).sum())
    second_only = int((second.correct & ~first.correct).sum())
    count = first_only + second_only
    return {
        "acc": float(first.correct.mean()),
        "against_acc": float(second.correct.mean()),
        "difference": (first_only - second_only) / len(first.labels),
        "first_only": first_only,
        "second_only": second_only,
        "p_value": float(binomtest(first_only, count).pvalue) if count else 1.0,
        "disagreed": int((first.predicted != second.predicted).sum()),
    }


def write_comparison(
    run: tuple[TrainedRun, Predictions],
    against: tuple[TrainedRun, Predictions],
    images: ImageSet,
    output_dir: Path,
) -> dict[str, Any]:
    """Write the differences of two runs; returns the contents of ``comparison.json``."""
    (trained, first), (other, second) = run, against
    ours, theirs = flat_settings(trained.config), flat_settings(other.config)
    keys = sorted(ours.keys() | theirs.keys())
    settings = {key: (ours.get(key), theirs.get(key)) for key in keys}
    comparison = {
        "run": str(trained.directory.path),
        "against": str(other.directory.path),
        **compare(first, second),
        "settings": {key: pair for key, pair in settings.items() if pair[0] != pair[1]},
    }
    write_json(output_dir / COMPARISON, comparison)
    columns = first.labels, first.predicted, second.predicted
    with table(output_dir / DISAGREEMENTS) as writer:
        writer.writerow(["index", "image", "label", "prediction", "against"])
        for index in np.flatnonzero(columns[1] != columns[2]).tolist():
            names = [trained.classes[column[index]] for column in columns]
            writer.writerow([index, images.names[index], *names])
    return comparison
