"""Learning curves and their means."""

import pytest

from src.report.curves import MOST, Curve, mean_curve, training_curve, validation_curve

ROWS: list[dict[str, float]] = [
    {"step": 4, "epoch": 0, "train/loss": 2.0},
    {"step": 9, "epoch": 0, "train/loss": 1.5},
    {"step": 9, "epoch": 0, "val/acc": 0.4},
    {"step": 9, "epoch": 0, "train/loss_epoch": 1.75},
    {"step": 14, "epoch": 1, "train/loss": 1.0},
    {"step": 19, "epoch": 1, "val/acc": 0.6},
]


def test_epochs_are_counted_from_one_and_steps_are_parts_of_them() -> None:
    assert validation_curve(ROWS, "val/acc") == Curve((1, 2), (0.4, 0.6))
    assert not validation_curve(ROWS, "val/loss")
    assert training_curve(ROWS) == Curve((0.5, 1.0, 1.5), (2.0, 1.5, 1.0))
    assert not training_curve([])


def test_many_readings_are_averaged() -> None:
    rows = [{"step": float(s), "epoch": 0.0, "train/loss": float(s % 2)} for s in range(4 * MOST)]
    curve = training_curve([*rows, {"step": 4 * MOST - 1, "epoch": 0, "train/loss_epoch": 0.5}])
    assert len(curve.epochs) == MOST
    assert set(curve.values) == {0.5}
    assert curve.epochs[-1] == 1


def test_the_mean_ends_with_the_shortest() -> None:
    long, short = Curve((1, 2, 3), (0.1, 0.2, 0.3)), Curve((1, 2), (0.3, 0.4))
    mean = mean_curve([long, short])
    assert mean.epochs == (1, 2)
    assert mean.values == pytest.approx((0.2, 0.3))
    assert not mean_curve([])
