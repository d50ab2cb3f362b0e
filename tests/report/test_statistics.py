"""Means, spreads and intervals over seeds."""

from pathlib import Path

import pytest

from src.report.comparison import build_comparison
from tests.fixtures.runs import write_run, write_sweep


def statistics(path: Path, figure: str, *accuracies: float) -> list[float]:
    write_sweep(path, {"optimizer.lr=0.1": list(accuracies)})
    (group,) = build_comparison([path], "val/acc", path).groups
    return [group.statistics[f"{figure} {part}"] for part in ("n", "mean", "std", "low", "high")]


def test_a_worked_example(tmp_path: Path) -> None:
    # Mean 0.92, squared deviations 1, 0, 1 (times 1e-4), t(0.975, 2) = 4.302653.
    reach = 4.302653 * 0.01 / 3**0.5
    found = statistics(tmp_path, "val/acc", 0.91, 0.92, 0.93)
    assert found == pytest.approx([3, 0.92, 0.01, 0.92 - reach, 0.92 + reach])


def test_one_value_has_no_spread_and_none_no_mean(tmp_path: Path) -> None:
    nan = float("nan")
    found = statistics(tmp_path / "one", "val/acc", 0.5)
    assert found == pytest.approx([1, 0.5, nan, nan, nan], nan_ok=True)
    found = statistics(tmp_path / "none", "train/acc", 0.5)
    assert found == pytest.approx([0, nan, nan, nan, nan], nan_ok=True)


def test_an_interval_stays_among_possible_values(tmp_path: Path) -> None:
    *_, low, high = statistics(tmp_path / "shares", "val/acc", 0.9, 0.99)
    assert low > 0 and high == 1
    *_, low, high = statistics(tmp_path / "losses", "val/loss", 0.9, 0.99)
    assert low == 0 and 0 < high < 1


def test_runs_are_grouped_over_seeds_and_the_best_mean_is_first(tmp_path: Path) -> None:
    write_sweep(tmp_path, {"optimizer.lr=0.1": [0.7, 0.8], "optimizer.lr=0.2": [0.9, 0.7]})
    report = build_comparison([tmp_path], "val/acc", tmp_path)
    assert report.columns == ("optimizer.lr",)
    assert [group.settings["optimizer.lr"] for group in report.groups] == ["0.2", "0.1"]
    assert [group.statistics["val/acc mean"] for group in report.groups] == pytest.approx(
        [0.8, 0.75]
    )
    assert [len(group.runs) for group in report.groups] == [2, 2]


def test_the_lowest_loss_is_first_and_groups_without_the_metric_last(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "optimizer.lr=0", acc=None)
    write_run(tmp_path / "1", "optimizer.lr=1", acc=0.8)  # val/loss 0.2
    write_run(tmp_path / "2", "optimizer.lr=2", acc=0.9)  # val/loss 0.1
    report = build_comparison([tmp_path], "val/loss", tmp_path)
    assert [group.settings["optimizer.lr"] for group in report.groups] == ["2", "1", "0"]
    assert any("without val/loss" in line and "0" in line for line in report.caveats)
