"""McNemar's exact test of two runs on the same images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from src.inference.predictions import Predictions


@dataclass(frozen=True)
class Comparison:
    """Comparison of two networks on the same N images.

    Attributes:
        difference: accuracy of the first minus that of the second, in -1..1.
        first_only: number of images that only the first classifies correctly.
        second_only: number of images that only the second classifies correctly.
        p_value: of McNemar's exact test of equal accuracy.
        disagreed: positions of the images with different predictions, int64.
    """

    difference: float
    first_only: int
    second_only: int
    p_value: float
    disagreed: NDArray[np.int64]


def compare(first: Predictions, second: Predictions) -> Comparison:
    """Compare two networks image by image."""
    if not np.array_equal(first.labels, second.labels):
        raise ValueError("the predictions are of different images")
    first_only = int((first.correct & ~second.correct).sum())
    second_only = int((second.correct & ~first.correct).sum())
    return Comparison(
        difference=(first_only - second_only) / len(first.labels),
        first_only=first_only,
        second_only=second_only,
        p_value=mcnemar(first_only, second_only),
        disagreed=np.flatnonzero(first.classes != second.classes),
    )


def mcnemar(first_only: int, second_only: int) -> float:
    """Two-sided p-value of McNemar's exact (binomial) test; 1 without disagreement.

    Psychometrika 12, 1947, page 153.
    """
    count = first_only + second_only
    return float(binomtest(first_only, count).pvalue) if count else 1.0
