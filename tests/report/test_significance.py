"""Whether the lead of the best is more than chance."""

import math
from pathlib import Path

import pytest
from scipy import stats

from src.report.comparison import Comparison, build_comparison
from src.report.statistics import TopTwoComparison
from tests.fixtures.runs import write_run, write_sweep

FIRST = [0.91, 0.92, 0.93]
SECOND = [0.90, 0.905, 0.91]


def compared(path: Path, metric: str = "val/acc") -> Comparison:
    return build_comparison([path], metric, path)


def lead(path: Path, metric: str = "val/acc") -> TopTwoComparison:
    found = compared(path, metric).lead
    assert found is not None
    return found


def test_the_same_seeds_are_compared_in_pairs(tmp_path: Path) -> None:
    write_sweep(tmp_path, {"optimizer.lr=0.1": FIRST, "optimizer.lr=0.2": SECOND})
    found = lead(tmp_path)
    # Differences 0.010, 0.015, 0.020: mean 0.015, standard error 0.005 / √3, t = 5.196.
    assert found.test == "paired t-test"
    assert found.lead == pytest.approx(0.015)
    reach = 4.302653 * 0.005 / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((0.015 - reach, 0.015 + reach))
    assert found.p == pytest.approx(0.03509, abs=1e-4)
    assert found.pairs == 1
    assert found.is_significant
    text = str(found)
    assert "optimizer.lr=0.1, is ahead of the second, optimizer.lr=0.2, by 1.50 points" in text
    assert "(95% interval 0.26 to 2.74)" in text
    assert "over the 3 seeds that both share, p = 0.035. At the 5% level" in text
    assert text.endswith("the lead is significant.")


def test_other_seeds_are_compared_by_welch(tmp_path: Path) -> None:
    write_sweep(tmp_path, {"optimizer.lr=0.1": FIRST})
    for seed, acc in enumerate(SECOND, start=7):
        write_run(tmp_path / str(seed), "optimizer.lr=0.2", f"seed={seed}", acc=acc)
    found = lead(tmp_path)
    assert found.test == "Welch's t-test"
    assert found.p == pytest.approx(stats.ttest_ind(FIRST, SECOND, equal_var=False).pvalue)
    # Welch: t = 0.015 / √((0.01² + 0.005²) / 3) = 2.3238 with 2.941 degrees of freedom.
    error = math.sqrt((0.01**2 + 0.005**2) / 3)
    reach = stats.t.ppf(0.975, 2.9412) * error
    assert (found.low, found.high) == pytest.approx((0.015 - reach, 0.015 + reach), rel=1e-4)
    assert "of 3 and 3 runs" in str(found)
    assert "not significant" in str(found)


def test_another_split_is_no_pair(tmp_path: Path) -> None:
    write_sweep(tmp_path, {"optimizer.lr=0.1": FIRST})
    for seed, acc in enumerate(SECOND):
        words = ["optimizer.lr=0.2", f"seed={seed}", "data.split_seed=9"]
        write_run(tmp_path / str(seed + 7), *words, acc=acc)
    assert lead(tmp_path).test == "Welch's t-test"


def test_that_the_two_were_picked_from_many_counts(tmp_path: Path) -> None:
    settings = {"optimizer.lr=0.1": FIRST, "optimizer.lr=0.2": SECOND}
    write_sweep(
        tmp_path, settings | {"optimizer.lr=0.3": [0.5, 0.5, 0.6], "optimizer.lr=0.4": [0.1]}
    )
    found = lead(tmp_path)
    assert found.pairs == 6
    assert found.corrected_p == pytest.approx(6 * found.p)
    assert not found.is_significant
    assert "picked from 4 settings (6 pairs)" in str(found)


def test_a_lower_loss_is_a_lead(tmp_path: Path) -> None:
    write_sweep(tmp_path, {"optimizer.lr=0.2": SECOND, "optimizer.lr=0.1": FIRST})
    found = lead(tmp_path, "val/loss")
    assert found.best == "optimizer.lr=0.1"
    assert found.lead == pytest.approx(0.015)
    assert 0 < found.low < found.lead < found.high
    assert "by 0.0150 (95%" in str(found)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ([0.9], [0.8], "one run each, so nothing can be said"),
        ([0.9], [0.8, 0.7], "the first is a single run"),
        ([0.9, 0.91], [0.8], "the second is a single run"),
        ([0.9, 0.9], [0.8, 0.8], "no spread"),
        ([0.92, 0.91], [0.91, 0.90], "no spread"),
    ],
)
def test_where_nothing_can_be_said_it_is_said(
    tmp_path: Path, first: list[float], second: list[float], reason: str
) -> None:
    write_sweep(tmp_path, {"optimizer.lr=0.1": first, "optimizer.lr=0.2": second})
    found = lead(tmp_path)
    assert found.test is None
    assert not found.is_significant
    assert "No test: " in str(found)
    assert reason in str(found)


def test_one_group_has_no_second(tmp_path: Path) -> None:
    write_sweep(tmp_path, {"optimizer.lr=0.1": FIRST})
    assert compared(tmp_path).lead is None
