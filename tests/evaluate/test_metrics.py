"""Measures of predictions, against figures worked out by hand or published."""

import math

import numpy as np
import pytest

from src.evaluate.compare import compare
from src.evaluate.metrics import measure
from src.inference.predictions import Predictions

CLASSES = ("a", "b", "c")


def predictions() -> Predictions:
    """Five images: four of class a and b, one of c; three of them right."""
    probabilities = np.array(
        [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1]]
    )
    return Predictions(probabilities, np.array([0, 0, 1, 1, 2]))


def test_figures_are_those_worked_out_by_hand() -> None:
    found = measure(predictions(), CLASSES)
    assert found["images"] == 5
    assert found["acc"] == 0.6
    assert found["top5_acc"] is None, "there are but three classes"
    assert found["loss"] == pytest.approx(-np.log([0.8, 0.6, 0.2, 0.8, 0.1]).mean())
    assert found["confusion"] == [[2, 0, 0], [1, 1, 0], [1, 0, 0]]
    assert found["classes"] == {
        "a": {"images": 2, "precision": 0.5, "recall": 1.0},
        "b": {"images": 2, "precision": 1.0, "recall": 0.5},
        "c": {"images": 1, "precision": None, "recall": 0.0},
    }
    # Each confidence in a bin of its own, but for the two of 0.8, both right.
    gaps = 2 * 0.2 + (1 - 0.6) + 0.7 + 0.5
    assert found["calibration_error"] == pytest.approx(gaps / 5)


def test_top_5_counts_the_five_most_probable() -> None:
    shares = np.arange(1, 8) / 28
    probabilities = np.stack([shares] * 3)
    found = measure(Predictions(probabilities, np.array([6, 2, 1])), tuple("abcdefg"))
    assert found["acc"] == pytest.approx(1 / 3)
    assert found["top5_acc"] == pytest.approx(2 / 3)


def test_a_class_without_images_has_no_recall() -> None:
    found = measure(Predictions(np.eye(3)[[0, 2]], np.array([0, 1])), CLASSES)
    assert found["classes"]["c"] == {"images": 0, "precision": 0.0, "recall": None}
    assert np.isfinite(found["loss"]), "a probability of 0 costs much, not everything"


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_s_interval_is_the_published_one(
    right: int, count: int, low: float, high: float
) -> None:
    """Newcombe 1998, Statistics in Medicine 17, page 857, table I, method 3."""
    labels = np.arange(count) >= right
    found = measure(Predictions(np.eye(2)[[0] * count], labels.astype(int)), ("a", "b"))
    assert found["acc_interval"] == pytest.approx((low, high), abs=5e-5)


def p_value(first_only: int, second_only: int) -> float:
    """McNemar's test of two runs, of which each alone has so many images right."""
    labels = np.zeros(first_only + second_only + 1, dtype=int)
    right_first = np.arange(len(labels)) < first_only
    right_second = ~right_first
    right_second[-1] = False
    first = Predictions(np.eye(2)[(~right_first).astype(int)], labels)
    second = Predictions(np.eye(2)[(~right_second).astype(int)], labels)
    return float(compare(first, second)["p_value"])


@pytest.mark.parametrize(
    ("first", "second", "p"), [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 0.021484375)]
)
def test_mcnemar_is_the_binomial_tail_on_both_sides(first: int, second: int, p: float) -> None:
    assert p_value(first, second) == pytest.approx(p)
    assert p_value(second, first) == pytest.approx(p)


def test_a_comparison_counts_what_one_alone_has_right() -> None:
    labels = np.array([0, 1, 2, 0])
    first = Predictions(np.eye(3)[[0, 1, 0, 1]], labels)
    second = Predictions(np.eye(3)[[0, 2, 2, 2]], labels)
    found = compare(first, second)
    assert (found["first_only"], found["second_only"]) == (1, 1)
    assert found["difference"] == 0
    assert found["disagreed"] == 3


def test_mcnemar_of_many_disagreements() -> None:
    """Against the normal approximation with its correction for continuity."""
    z = (9500 - 9000 - 1) / math.sqrt(18500)
    assert p_value(9000, 9500) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-3)
