"""Every optimizer step is made of its share of the images, and each image of it weighs the same."""

import json
from pathlib import Path

import pytest
import torch

from src.data.dataset import Batch
from src.runs.directory import RunDirectory
from src.training.classifier import ImageClassifier
from tests.fixtures.cli import TINY, Cli
from tests.fixtures.datasets import cifar10_python_files, write_files

WHOLE = [*TINY, "logger=csv", "trainer.limit_train_batches=null"]
IMAGENET_STEM = ["model=resnet18", "model.stem=imagenet"]


def test_an_image_that_is_left_over_makes_no_step_of_its_own(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    """With the last feature map a single pixel, batch norm cannot do with one image at all."""
    run = RunDirectory(tmp_path / "run")
    words = [*IMAGENET_STEM, "data.batch_size=179", "trainer.log_every_n_steps=1"]
    done = cli(cifar, *WHOLE, *words, f"hydra.run.dir={run.path}")
    assert done.code == 0, done.err
    figures = json.loads(run.metrics.read_text())
    assert (figures["steps"], figures["images"]) == (2, 180)


def test_batches_of_one_image_are_refused_where_batch_norm_cannot_do_with_them(
    cli: Cli, cifar: str
) -> None:
    done = cli(cifar, *WHOLE, *IMAGENET_STEM, "data.batch_size=1")
    assert done.code == 2
    assert "data.batch_size=1: batch norm" in done.err
    assert "Traceback" not in done.err


ACCUMULATED = ["data.batch_size=16", "trainer.accumulate_grad_batches=4"]


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """184 images: 11 batches of 16 and one of 8, which make two steps of four and one of three."""
    root = write_files(tmp_path / "cifar-10-batches-py", cifar10_python_files(rows=46))
    words = [f"data.root={root}", *WHOLE, "data.val_fraction=0.2", "optimizer.momentum=0"]
    words += ["model=custom", "model._target_=tests.fixtures.networks.Pixels", "+model.width=4"]
    words += ["trainer.precision=32-true", "scheduler=constant", "optimizer.lr=0.01"]
    return [*words, "optimizer.nesterov=false"]


def test_accumulated_batches_make_the_step_of_one_large_batch(
    cli: Cli, words: list[str], tmp_path: Path
) -> None:
    found = []
    for name, sizes in (("one", ["data.batch_size=64"]), ("many", ACCUMULATED)):
        run = RunDirectory(tmp_path / name)
        done = cli(*words, *sizes, f"hydra.run.dir={run.path}")
        assert done.code == 0, done.err
        assert json.loads(run.metrics.read_text())["steps"] == 3
        found.append(torch.load(run.last, weights_only=True)["state_dict"])
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=1e-5, atol=1e-6)


def test_a_step_that_a_limit_cuts_short_counts_what_it_has(
    cli: Cli, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights: list[float] = []
    plain = ImageClassifier.training_step

    def step(self: ImageClassifier, batch: Batch, batch_idx: int) -> torch.Tensor:
        weights.append(batch.weight)
        return plain(self, batch, batch_idx)

    monkeypatch.setattr(ImageClassifier, "training_step", step)
    done = cli(*words, *ACCUMULATED, "trainer.limit_train_batches=10")
    assert done.code == 0, done.err
    assert weights == [1] * 8 + [2] * 2
