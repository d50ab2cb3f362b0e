"""What limits a comparison is said below it."""

from pathlib import Path

from src.report.comparison import build_comparison
from tests.fixtures.runs import write_run, write_sweep


def noted(path: Path, metric: str = "val/acc") -> str:
    return "\n".join(build_comparison([path], metric, path).caveats)


def test_there_is_nothing_to_say_of_a_good_comparison(tmp_path: Path) -> None:
    write_sweep(tmp_path, {"optimizer.lr=0.1": [0.8, 0.9], "optimizer.lr=0.2": [0.7, 0.8]})
    assert noted(tmp_path) == ""


def test_validation_on_the_test_set(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "seed=0", validated_on="test")
    write_run(tmp_path / "1", "seed=1")
    assert "1 of 2 runs were validated on the test set" in noted(tmp_path)


def test_other_images_code_and_hardware(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "seed=0")
    other = {"data": {"source": "five"}, "commit": "abcdefghij", "hardware": {"cpu": "another"}}
    write_run(tmp_path / "1", "seed=1", **other)
    text = noted(tmp_path)
    assert "2 data sources: ten classes (1 run), five (1 run)" in text
    assert "2 states of the code: 1234567 (1 run), abcdefg (1 run)" in text
    assert "2 kinds of hardware" in text
    assert "times do not compare" in text


def test_one_run_each_and_one_run_somewhere(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "optimizer.lr=0.1")
    write_run(tmp_path / "1", "optimizer.lr=0.2")
    assert "one run each (n = 1): no standard deviation" in noted(tmp_path)
    write_run(tmp_path / "2", "optimizer.lr=0.2", "seed=1")
    assert "n = 1: a single run has no standard deviation" in noted(tmp_path)


def test_a_seed_twice_and_a_metric_that_nobody_has(tmp_path: Path) -> None:
    write_run(tmp_path / "0")
    write_run(tmp_path / "1")
    assert "the same seed more than once in the groups at place 1" in noted(tmp_path)
    assert "no finished run has train/acc" in noted(tmp_path, "train/acc")
