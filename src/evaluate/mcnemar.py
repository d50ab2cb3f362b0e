"""McNemar's exact test of two runs on the same images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from src.inference.predictions import Predictions


@dataclass(frozen=True)
class Comparison:
    """Two networks on the same N images.

    Attributes:
        difference: accuracy of the first minus that of the second, in -1..1.
        first_only: images that only the first one has right.
        second_only: images that only the second one has right.
        p_value: of McNemar's exact test that they are equally good.
        disagreed: places of the images to which they give different classes, int64.
    """

    difference: float
    first_only: int
    second_only: int
    p_value: float
    disagreed: NDArray[np.int64]


def compare(first: Predictions, second: Predictions) -> Comparison:
    """Compare two networks image by image."""
    if not np.array_equal(first.labels, second.labels):
        raise ValueError("the two were not asked about the same images")
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
    """The probability of a split at least as uneven if both networks were equally good.

    The exact form of McNemar's test (Psychometrika 12, 1947, page 153): two-sided, binomial.
    """
    count = first_only + second_only
    return float(binomtest(first_only, count).pvalue) if count else 1.0
