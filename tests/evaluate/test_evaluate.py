"""``python -m src.evaluate`` on a tiny run."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from src.files import read_json
from tests.fixtures.change import change
from tests.fixtures.cli import Cli


def test_it_finds_what_the_run_itself_had_found(evaluate_cli: Cli, runs: Path) -> None:
    done = evaluate_cli(f"run={runs / 'one'}")
    assert done.code == 0, done.err
    found, trained = (
        read_json(runs / "one/evaluation/metrics.json"),
        read_json(runs / "one/metrics.json"),
    )
    assert found["images"] == 40
    assert found["acc"] == pytest.approx(trained["test/acc"])
    assert found["loss"] == pytest.approx(trained["test/loss"], rel=1e-3)
    low, high = found["acc_interval"]
    assert low < found["acc"] < high
    assert np.array(found["confusion"]).sum() == 40
    assert f"{found['acc']:.2%}" in done.out
    assert "│ airplane" in done.out


def test_predictions_name_each_image_once(evaluate_cli: Cli, runs: Path) -> None:
    evaluate_cli(f"run={runs / 'one'}")
    with (runs / "one/evaluation/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["index"]) for row in rows] == list(range(40))
    assert rows[3]["image"] == "test_batch[3]"
    right = [row["label"] == row["prediction"] for row in rows]
    assert sum(right) / 40 == pytest.approx(read_json(runs / "one/metrics.json")["test/acc"])
    shares = [float(rows[0][name]) for name in list(rows[0])[4:]]
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert list(rows[0])[4 + int(np.argmax(shares))] == rows[0]["prediction"]


def test_the_pictures_show_something(evaluate_cli: Cli, runs: Path) -> None:
    evaluate_cli(f"run={runs / 'one'}")
    for name in ("confusion", "calibration", "worst"):
        picture = cv2.imread(str(runs / f"one/evaluation/{name}.png"))
        assert picture is not None and picture.std() > 10, name


def test_two_runs_are_compared_image_by_image(evaluate_cli: Cli, runs: Path) -> None:
    done = evaluate_cli(f"run={runs / 'one'}", f"against={runs / 'two'}")
    assert done.code == 0, done.err
    found = read_json(runs / "one/evaluation/comparison.json")
    assert found["settings"] == {"seed": [0, 1]}
    assert found["difference"] == pytest.approx(found["acc"] - found["against_acc"])
    assert 0 < found["p_value"] <= 1
    with (runs / "one/evaluation/disagreements.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found["disagreed"]
    assert all(row["prediction"] != row["against"] for row in rows)
    assert "McNemar" in done.out


def test_a_run_that_was_moved_needs_only_its_images(
    evaluate_cli: Cli, runs: Path, cifar: str
) -> None:
    (runs / "one").rename(runs / "moved there")
    done = evaluate_cli(f"run='{runs / 'moved there'}'", cifar)
    assert done.code == 0, done.err


def test_a_run_on_other_classes_is_refused_before_any_work(evaluate_cli: Cli, runs: Path) -> None:
    assert evaluate_cli(f"run={runs / 'one'}").code == 0
    before = (runs / "one/evaluation/metrics.json").stat()
    change(runs / "two/run.json", "data.classes", [str(number) for number in range(10)])
    done = evaluate_cli(f"run={runs / 'one'}", f"against={runs / 'two'}")
    assert done.code == 2
    assert "its classes are 0, 1" in done.err and "of the run are airplane" in done.err
    assert (runs / "one/evaluation/metrics.json").stat().st_mtime_ns == before.st_mtime_ns


def test_a_picture_that_cannot_be_drawn_is_a_warning(
    evaluate_cli: Cli, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*words: object) -> None:
        raise ValueError("no room")

    monkeypatch.setattr("src.evaluate.run.calibration_figure", fails)
    done = evaluate_cli(f"run={runs / 'one'}")
    assert done.code == 0
    assert "calibration.png: no such picture (ValueError: no room)" in done.out
    place = runs / "one/evaluation"
    assert (place / "worst.png").exists() and not (place / "calibration.png").exists()
