"""Where ``python -m src.evaluate`` writes, and what it leaves alone."""

import csv
import os
from pathlib import Path

import pytest

from src.files import read_json
from tests.fixtures.cli import Cli
from tests.fixtures.datasets import cifar10_python_files, class_folder_files, write_files


def places(run: Path) -> set[str]:
    return {item.name for item in run.glob("evaluation*")}


def test_other_weights_have_a_place_of_their_own(evaluate_cli: Cli, runs: Path) -> None:
    run = runs / "one"
    for words in (
        [f"run={run}"],
        [f"ckpt={run}/checkpoints/best.ckpt"],
        [f"run={run}", "checkpoint=last"],
        [f"ckpt={run}/checkpoints/last.ckpt", "batch_size=7"],
    ):
        done = evaluate_cli(*words)
        assert done.code == 0, done.err
    assert places(run) == {"evaluation", "evaluation-last"}
    assert read_json(run / "evaluation/metrics.json")["checkpoint"] == "best.ckpt"
    last = read_json(run / "evaluation-last/metrics.json")
    assert last["checkpoint"] == "last.ckpt" and last["images"] == 40


def test_other_images_have_a_place_of_their_own(
    evaluate_cli: Cli, runs: Path, tmp_path: Path
) -> None:
    run = runs / "one"
    assert evaluate_cli(f"run={run}").code == 0
    for rows, parent in ((12, "a"), (13, "b")):
        other = write_files(tmp_path / parent / "test", cifar10_python_files(rows=rows, seed=9))
        done = evaluate_cli(f"run={run}", f"data.root={other}", "tta=flip")
        assert done.code == 0, done.err
        assert "with tta=flip" in done.out
    # The same folder, from the current directory.
    assert evaluate_cli(f"run={run}", "data.root=b/test", "tta=flip").code == 0
    assert read_json(run / "evaluation/metrics.json")["images"] == 40
    others = [read_json(run / name / "metrics.json") for name in places(run) - {"evaluation"}]
    assert sorted(found["images"] for found in others) == [12, 13]
    assert all(found["tta"]["views"] == "flip" for found in others)
    assert all(name.startswith("evaluation-test-") for name in places(run) - {"evaluation"})


def test_an_option_of_data_and_its_root_are_taken_in_any_order(
    evaluate_cli: Cli, runs: Path, tmp_path: Path
) -> None:
    other = write_files(tmp_path / "others", cifar10_python_files(rows=12, seed=9))
    words = [f"data.root={other}", "data=cifar10", "data.download=false"]
    done = evaluate_cli(f"run={runs / 'one'}", *words, "output=one")
    assert done.code == 0, done.err
    assert read_json(tmp_path / "one/metrics.json")["images"] == 12


def test_results_go_where_they_are_asked_to(evaluate_cli: Cli, runs: Path, tmp_path: Path) -> None:
    done = evaluate_cli(f"run={runs / 'one'}", "output=deep/a [best] é")
    assert done.code == 0, done.err
    assert read_json(tmp_path / "deep/a [best] é/metrics.json")["images"] == 40
    assert "results in deep/a [best] é" in done.out, "brackets are no markup"
    assert places(runs / "one") == set()


def test_a_place_that_cannot_be_written_is_one_line(evaluate_cli: Cli, runs: Path) -> None:
    (runs / "one/evaluation").write_text("a file")
    for words in ([], ["output=/proc/none"]):
        done = evaluate_cli(f"run={runs / 'one'}", *words)
        assert done.code == 2
        assert "results cannot be written there" in done.err
        assert "choose another folder with output=<folder>" in done.err
        assert done.err.count("\n") == 1, done.err


def test_nothing_of_an_earlier_evaluation_stays(evaluate_cli: Cli, runs: Path) -> None:
    place = runs / "one/evaluation"
    assert evaluate_cli(f"run={runs / 'one'}", f"against={runs / 'two'}").code == 0
    assert (place / "comparison.json").exists() and (place / "disagreements.csv").exists()
    (place / "notes.txt").write_text("mine")
    assert evaluate_cli(f"run={runs / 'one'}").code == 0
    assert {item.name for item in place.iterdir()} == {
        *("metrics.json", "predictions.csv", "notes.txt"),
        *("confusion.png", "calibration.png", "worst.png"),
    }


def test_a_name_that_is_no_utf_8_is_escaped(
    evaluate_cli: Cli, runs: Path, tmp_path: Path, trained_on_folders: Path
) -> None:
    odd = tmp_path / "odd"
    write_files(odd, class_folder_files(("$a_$", "[red]x"), size=32))
    first = next((odd / "test/[red]x").iterdir())
    first.rename(first.with_name(os.fsdecode(b"z\xff.png")))
    done = evaluate_cli(f"run={trained_on_folders}", f"data.root={odd}", "output=out")
    assert done.code == 0, done.err
    with (tmp_path / "out/predictions.csv").open(encoding="utf-8") as file:
        names = [row["image"] for row in csv.DictReader(file)]
    assert sum(name.endswith("z\\udcff.png") for name in names) == 1


@pytest.fixture
def trained_on_folders(cli: Cli, tmp_path: Path) -> Path:
    """A run on classes whose names are a formula in one notation and a color in another."""
    images = write_files(tmp_path / "images", class_folder_files(("$a_$", "[red]x"), size=32))
    words = ["model=resnet20", "trainer=smoke", "trainer.accelerator=cpu", "data.batch_size=4"]
    words += ["data=folder", f"data.root={images}", "callbacks.progress_bar=false"]
    done = cli(*words, f"hydra.run.dir={tmp_path / 'odd run'}")
    assert done.code == 0, done.err
    assert (tmp_path / "odd run/curves.png").exists()
    assert "no such picture" not in done.out + done.err
    return tmp_path / "odd run"


def test_classes_of_any_name_are_shown_as_they_are(
    evaluate_cli: Cli, trained_on_folders: Path
) -> None:
    done = evaluate_cli(f"run={trained_on_folders}")
    assert done.code == 0, done.err
    assert "│ [red]x" in done.out and "│ $a_$" in done.out
    assert (trained_on_folders / "evaluation/confusion.png").exists()
