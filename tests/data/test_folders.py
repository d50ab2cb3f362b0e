"""Training on class folders with a validation folder, and evaluation on other folders."""

import csv
from pathlib import Path

import numpy as np
import pytest

from src.files import read_json
from tests.fixtures.cli import TINY, Cli
from tests.fixtures.datasets import encode, write_files

CLASSES = ("cat", "dog", "emu")
WORDS = ["model=resnet20", *TINY, "data=folder", "data.batch_size=4"]


def images(folder: str, count: int, *classes: str, seed: int = 1) -> dict[str, bytes]:
    """Noise of another brightness for each class: learnt in a few steps."""
    generator = np.random.default_rng(seed)
    files = {}
    for name in classes or CLASSES:
        low = 80 * CLASSES.index(name) if name in CLASSES else 0
        for number in range(count):
            image = generator.integers(low, low + 80, (32, 32, 3), dtype=np.uint8)
            files[f"{folder}{name}/{number}.png"] = encode(image)
    return files


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> Path:
    """A run trained on three classes in folders without parts."""
    root = write_files(tmp_path / "own", images("", 10))
    done = cli(*WORDS, f"data.root={root}", f"hydra.run.dir={tmp_path / 'run'}")
    assert done.code == 0, done.err
    return tmp_path / "run"


def test_a_validation_folder_is_validated_on(cli: Cli, tmp_path: Path) -> None:
    root = write_files(tmp_path / "own", images("train/", 8) | images("val/", 3, seed=2))
    done = cli(
        *WORDS,
        f"data.root={root}",
        f"hydra.run.dir={tmp_path / 'run'}",
        "trainer.limit_val_batches=null",
    )
    assert done.code == 0, done.err
    facts = read_json(tmp_path / "run/run.json")["data"]
    assert "val/ as validation" in facts["source"]
    assert (facts["train_images"], facts["val_images"], facts["test_images"]) == (21, 9, 3)
    assert facts["held_out"] == ["test"]
    assert "21 training, 9 validation, 3 test images (test held out of the training" in done.out


def test_the_rest_is_held_out_without_one(run: Path) -> None:
    facts = read_json(run / "run.json")["data"]
    assert facts["held_out"] == ["validation", "test"]


@pytest.mark.parametrize(
    ("files", "count", "absent"),
    [
        (images("", 5), 15, None),
        (images("", 1), 3, None),
        (images("test/", 4), 12, None),
        (images("", 5, "emu", "cat"), 10, "dog"),
        (images("TEST/", 5, "dog"), 5, "cat, emu"),
        (images("train/", 5) | images("test/", 2, "dog", "emu"), 4, "cat"),
        (images("train/", 5) | images("val/", 2, seed=2), 21, None),
        (images("photos/", 5, "dog"), 5, "cat, emu"),
    ],
)
def test_other_folders_are_evaluated_whole_and_by_the_names_of_their_classes(
    files: dict[str, bytes],
    count: int,
    absent: str | None,
    run: Path,
    evaluate_cli: Cli,
    tmp_path: Path,
) -> None:
    root = write_files(tmp_path / "others", files)
    done = evaluate_cli(f"run={run}", f"data.root={root}", "output=out")
    assert done.code == 0, done.err
    figures = read_json(tmp_path / "out/metrics.json")
    assert figures["images"] == count
    assert list(figures["classes"]) == list(CLASSES)
    assert ("no images of:" in done.out) == bool(absent)
    assert absent is None or f"no images of: {absent}\n" in done.out
    with (tmp_path / "out/predictions.csv").open() as file:
        assert all(row["label"] in Path(row["image"]).parts for row in csv.DictReader(file))


def test_its_own_folder_is_evaluated_on_what_was_held_out(
    run: Path, evaluate_cli: Cli, tmp_path: Path
) -> None:
    for words in ([], ["data.root=own"]):
        done = evaluate_cli(f"run={run}", *words, "output=out")
        assert done.code == 0, done.err
        assert read_json(tmp_path / "out/metrics.json")["images"] == 3


def test_classes_that_the_network_does_not_know_are_named(
    run: Path, evaluate_cli: Cli, tmp_path: Path
) -> None:
    root = write_files(tmp_path / "others", images("", 2, "dog", "yak"))
    done = evaluate_cli(f"run={run}", f"data.root={root}")
    assert done.code == 2
    assert "the network knows no class yak; it knows cat, dog, emu" in done.err


def test_patterns_are_a_setting(cli: Cli, tmp_path: Path) -> None:
    root = write_files(tmp_path / "own", images("", 8) | images("raw/", 2))
    words = [*WORDS, f"data.root={root}", f"hydra.run.dir={tmp_path / 'run'}"]
    assert cli(*words, "data.exclude=[raw]").code == 0
    facts = read_json(tmp_path / "run/run.json")["data"]
    assert facts["classes"] == list(CLASSES)
    assert "excluded: raw (1)" in facts["source"]
