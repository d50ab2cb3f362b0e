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
)

from src.inference.predictions import Predictions

BINS = 15  # bins of confidence for the calibration error


def measure(predictions: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    """All metrics of a set of predictions, as in ``metrics.json``.

    Accuracies, precision, recall and the calibration error are fractions in 0..1; the loss is the
    mean cross-entropy in nats. The calibration error is the mean gap between confidence and
    accuracy over 15 bins of equal width (Guo et al. 2017, arXiv:1706.04599). The interval of the
    accuracy is Wilson's score interval at 95% (J. Am. Stat. Assoc. 22, 1927, page 209), which stays
    within 0..1. Precision is null for a class that was never predicted, recall for one without
    images.
    """
    probabilities, labels = predictions.probabilities, predictions.labels
    right, count = int(predictions.correct.sum()), len(labels)
    low, high = binomtest(right, count).proportion_ci(0.95, method="wilson")
    of_true_class = probabilities[np.arange(count), labels]
    # Rank of the true class by probability, from 1; ties count against the network.
    rank = (probabilities >= of_true_class[:, None]).sum(axis=1)
    error = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(labels), len(classes), n_bins=BINS
    )
    matrix = confusion(predictions, len(classes))
    return {
        "images": count,
        "acc": right / count,
        "acc_interval": [float(low), float(high)],
        "top5_acc": float((rank <= 5).mean()) if len(classes) > 5 else None,
        "loss": float(-np.log(of_true_class.clip(np.finfo(of_true_class.dtype).tiny)).mean()),
        "calibration_error": float(error),
        "classes": {name: _metrics_of_class(matrix, label) for label, name in enumerate(classes)},
        "confusion": matrix.tolist(),
    }


def _metrics_of_class(matrix: NDArray[np.int64], label: int) -> dict[str, Any]:
    """Precision and recall of a class, from the matrix of :func:`confusion`."""
    right, predicted, images = matrix[label, label], matrix[:, label].sum(), matrix[label].sum()
    return {
        "images": int(images),
        "precision": float(right / predicted) if predicted else None,
        "recall": float(right / images) if images else None,
    }


def confusion(predictions: Predictions, classes: int) -> NDArray[np.int64]:
    """Confusion matrix: images of each class (rows) that are predicted as each class (columns)."""
    guesses = torch.from_numpy(predictions.predicted)
    targets = torch.from_numpy(predictions.labels)
    return multiclass_confusion_matrix(guesses, targets, classes).numpy()
