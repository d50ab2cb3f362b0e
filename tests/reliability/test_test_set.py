"""The test set is for the end: nothing before depends on it, or even reads it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from src.data.dataset import Batch, ImageDataset
from src.data.loader import ResidentImages
from src.data.module import ImageDataModule
from src.runs.directory import RunDirectory
from src.runs.reader import read_rows
from tests.fixtures.cli import Cli
from tests.fixtures.datasets import cifar10_python_files, write_files
from tests.fixtures.states import digests
from tests.reliability.settings import SETTINGS

pytestmark = pytest.mark.reliability

ON_TEST = ["data.validate_on=test", "test_checkpoint=last"]
TEST_IMAGES = 116


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Of each fetch from the test set, what the Trainer was doing, and of how many images."""
    found: list[tuple[str, int]] = []
    modules: list[ImageDataModule] = []
    of_test: list[object] = []
    plain = ImageDataModule.setup

    def setup(self: ImageDataModule, stage: str | None = None) -> None:
        plain(self, stage)
        modules.append(self)
        of_test.append(self.test_set)

    def spied(kind: type) -> Any:
        fetch = kind.fetch  # type: ignore[attr-defined]

        def spy(self: object, indices: Tensor) -> Batch:
            if any(self is dataset for dataset in of_test):
                trainer = modules[-1].trainer
                doing = "nothing" if trainer is None else str(trainer.state.stage.value)
                found.append((doing, len(indices)))
            return fetch(self, indices)

        return spy

    def resident(self: ResidentImages, dataset: ImageDataset, device: Any) -> None:
        make(self, dataset, device)
        if any(dataset is item for item in of_test):
            of_test.append(self)

    make = ResidentImages.__init__
    monkeypatch.setattr(ImageDataModule, "setup", setup)
    monkeypatch.setattr(ResidentImages, "__init__", resident)
    monkeypatch.setattr(ImageDataset, "fetch", spied(ImageDataset))
    monkeypatch.setattr(ResidentImages, "fetch", spied(ResidentImages))
    return found


@pytest.mark.parametrize("resident", ["never", "always"])
def test_no_test_image_is_fetched_before_the_final_test(
    cli: Cli, images: str, tmp_path: Path, fetched: list[tuple[str, int]], resident: str
) -> None:
    words = [f"data.resident={resident}", "data.eval_batch_size=29", "logger=default"]
    done = cli(images, *SETTINGS, *words, f"hydra.run.dir={tmp_path / 'run'}")
    assert done.code == 0, done.err
    assert {doing for doing, _ in fetched} == {"test"}
    assert sum(count for _, count in fetched) == TEST_IMAGES, "and then each once"


def test_with_validation_on_the_test_set_it_is_fetched_and_the_log_says_so(
    cli: Cli, images: str, tmp_path: Path, fetched: list[tuple[str, int]]
) -> None:
    run = RunDirectory(tmp_path / "run")
    done = cli(images, *SETTINGS, *ON_TEST, f"hydra.run.dir={run.path}")
    assert done.code == 0, done.err
    assert {doing for doing, _ in fetched} == {"validate", "test"}
    said = "validating on the test set, as data.validate_on=test asks"
    assert said in done.out
    assert said in (run.path / "train.log").read_text()


@pytest.fixture(scope="module")
def twins(images: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two ``data.root=`` that differ in their test images and labels alone."""
    one = Path(images.removeprefix("data.root="))
    other = tmp_path_factory.mktemp("twin") / one.name
    shutil.copytree(one, other, ignore=shutil.ignore_patterns(".cache"))
    different = cifar10_python_files(rows=70, seed=99)["test_batch"]
    write_files(other, {"test_batch": different})
    return [images, f"data.root={other}"]


def train_on(cli: Cli, twins: list[str], place: Path, *words: str) -> list[RunDirectory]:
    """A run on each of the twins."""
    runs = []
    for number, root in enumerate(twins):
        run = RunDirectory(place / f"{number}")
        done = cli(root, *SETTINGS, *words, f"hydra.run.dir={run.path}")
        assert done.code == 0, done.err
        runs.append(run)
    return runs


def figures_of(run: RunDirectory, stage: str) -> list[dict[str, Any]]:
    """The figures of a stage, of every row and of the end."""
    rows = [*read_rows(run), json.loads(run.metrics.read_text())]
    return [{key: row[key] for key in row if key.startswith(f"{stage}/")} for row in rows]


def test_other_test_images_change_the_test_figures_and_nothing_else(
    cli: Cli, twins: list[str], tmp_path: Path
) -> None:
    one, other = train_on(cli, twins, tmp_path, "data.mean=null", "data.std=null")
    assert digests(one.last) == digests(other.last)
    assert digests(one.best) == digests(other.best)
    for stage in ("train", "val"):
        assert figures_of(one, stage) == figures_of(other, stage)
    assert figures_of(one, "test") != figures_of(other, "test")


def test_validated_on_other_test_images_a_run_has_other_figures_and_the_same_weights(
    cli: Cli, twins: list[str], tmp_path: Path
) -> None:
    one, other = train_on(cli, twins, tmp_path, *ON_TEST)
    assert digests(one.last) == digests(other.last)
    assert figures_of(one, "train") == figures_of(other, "train")
    assert figures_of(one, "val") != figures_of(other, "val")
