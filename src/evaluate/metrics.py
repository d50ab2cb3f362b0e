"""Metrics of predictions: accuracy with its interval, loss, calibration, metrics by class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binomtest
from torchmetrics.functional.classification import (
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_precision,
    multiclass_recall,
)

from src.inference.predictions import Predictions

BINS = 15
"""Confidence bins of the calibration error, as in Guo et al. 2017 (arXiv:1706.04599)."""

LEVEL = 0.95
_SMALLEST = np.finfo(np.float64).tiny


def measure(predictions: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    """All metrics of a set of predictions, as in ``metrics.json``.

    Accuracies, precision, recall and the calibration error are fractions in 0..1; the loss is the
    mean cross-entropy in nats. The calibration error is the mean gap between confidence and
    accuracy over 15 bins of equal width (Guo et al. 2017). The interval is Wilson's, at 95%.
    Precision is null for a class that was never predicted, recall for one without images.
    """
    labels, count = predictions.labels, len(predictions.labels)
    probabilities = torch.from_numpy(predictions.probabilities)
    targets = torch.from_numpy(labels)
    right = int(predictions.correct.sum())
    low, high = wilson_interval(right, count)
    own = predictions.probabilities[np.arange(count), labels]
    # Rank of the true class by probability, from 1; ties count against the network.
    rank = (predictions.probabilities >= own[:, None]).sum(axis=1)
    error = multiclass_calibration_error(probabilities, targets, len(classes), n_bins=BINS)
    return {
        "images": count,
        "acc": right / count,
        "acc_interval": [low, high],
        "top5_acc": float((rank <= 5).mean()) if len(classes) > 5 else None,
        "loss": float(-np.log(np.maximum(own, _SMALLEST)).mean()),
        "calibration_error": float(error),
        "classes": _by_class(predictions, classes),
        "confusion": confusion(predictions, len(classes)).tolist(),
    }


def _by_class(predictions: Predictions, classes: Sequence[str]) -> dict[str, dict[str, Any]]:
    guesses = torch.from_numpy(predictions.classes)
    targets = torch.from_numpy(predictions.labels)
    options: dict[str, Any] = {"num_classes": len(classes), "average": None}
    precision = multiclass_precision(guesses, targets, **options)
    recall = multiclass_recall(guesses, targets, **options)
    guessed = torch.bincount(guesses, minlength=len(classes))
    present = torch.bincount(targets, minlength=len(classes))
    return {
        name: {
            "images": int(present[i]),
            "precision": float(precision[i]) if guessed[i] else None,
            "recall": float(recall[i]) if present[i] else None,
        }
        for i, name in enumerate(classes)
    }


def confusion(predictions: Predictions, classes: int) -> NDArray[np.int64]:
    """Number of images of each class (rows) predicted as each class (columns): (K, K)."""
    guesses = torch.from_numpy(predictions.classes)
    targets = torch.from_numpy(predictions.labels)
    return multiclass_confusion_matrix(guesses, targets, classes).numpy()


def wilson_interval(right: int, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Confidence interval of the accuracy of a network with ``right`` of ``count`` images right.

    Wilson's score interval (J. Am. Stat. Assoc. 22, 1927, page 209), which stays within 0..1.
    """
    low, high = binomtest(right, count).proportion_ci(level, method="wilson")
    return float(low), float(high)
