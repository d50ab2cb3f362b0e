"""Learning curves and their means."""

from pathlib import Path

import pandas as pd
import pytest

from src.report.load import POINTS, RunResult, training_curve, validation_curve
from src.report.statistics import Group

ROWS = pd.DataFrame(
    [
        {"step": 4, "epoch": 0, "train/loss": 2.0},
        {"step": 9, "epoch": 0, "train/loss": 1.5},
        {"step": 9, "epoch": 0, "val/acc": 0.4},
        {"step": 9, "epoch": 0, "train/loss_epoch": 1.75},
        {"step": 14, "epoch": 1, "train/loss": 1.0},
        {"step": 19, "epoch": 1, "val/acc": 0.6},
    ]
)


def test_epochs_are_counted_from_one_and_steps_are_parts_of_them() -> None:
    assert validation_curve(ROWS, "val/acc").to_dict() == {1: 0.4, 2: 0.6}
    assert validation_curve(ROWS, "val/loss").empty
    assert training_curve(ROWS).to_dict() == {0.5: 2.0, 1.0: 1.5, 1.5: 1.0}
    assert training_curve(pd.DataFrame()).empty
    unfinished = ROWS[["step", "epoch", "train/loss"]]
    assert training_curve(unfinished).to_dict() == {0.5: 2.0, 1.0: 1.5, 1.5: 1.0}


def test_many_readings_are_averaged() -> None:
    rows = [{"step": s, "epoch": 0, "train/loss": s % 2} for s in range(4 * POINTS)]
    end = {"step": 4 * POINTS - 1, "epoch": 0, "train/loss_epoch": 0.5}
    curve = training_curve(pd.DataFrame([*rows, end]))
    assert len(curve) == POINTS
    assert set(curve) == {0.5}
    assert curve.index[-1] == 1


def test_the_mean_ends_with_the_shortest() -> None:
    curves = [pd.Series({1: 0.1, 2: 0.2, 3: 0.3}), pd.Series({1: 0.3, 2: 0.4})]
    runs = [RunResult("", Path(), "finished", curves={"val/acc": curve}) for curve in curves]
    group = Group({}, (*runs, RunResult("", Path(), "finished")), {})
    assert group.curve("val/acc").to_dict() == pytest.approx({1: 0.2, 2: 0.3})
    assert group.curve("val/loss").empty
