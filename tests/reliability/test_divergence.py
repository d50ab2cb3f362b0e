"""Divergence is loud: it ends the run, and the last finite checkpoint stays."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from src.augment.pipeline import Augment
from src.runs.directory import RunDirectory
from tests.fixtures.cli import TINY, Cli
from tests.fixtures.events import read

pytestmark = pytest.mark.reliability

# 180 training images: 6 steps an epoch. The figures are read at an epoch's end only.
STEPS = 6
WORDS = [
    *TINY,
    "model=custom",
    "model._target_=tests.fixtures.poison.Poisoned",
    "data.batch_size=32",
    "trainer.limit_train_batches=null",
    "trainer.max_epochs=3",
    "trainer.log_every_n_steps=50",
    "optimizer.lr=0.05",
    "trainer.precision=32-true",
]


def poisoned(where: str, step: int = 2 * STEPS - 3, stop: bool = False) -> list[str]:
    return [*WORDS, f"+model.where={where}", f"+model.step={step}", f"+model.stop={stop}"]


def check_that_the_first_epoch_is_kept(run: RunDirectory) -> None:
    assert json.loads(run.record.read_text())["state"] == "failed"
    for path in (run.last, run.best):
        saved = torch.load(path, weights_only=True)
        assert saved["global_step"] == STEPS
        assert all(value.isfinite().all() for value in saved["state_dict"].values())


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("loss", "train/loss is not finite at step 9 (epoch 2, lr 0.0312519,"),
        ("gradient", "the gradient is not finite at step 9 (epoch 2, lr 0.0312519,"),
        ("validation", "val/loss is nan at step 12 (epoch 2, lr 0.0208363,"),
    ],
)
def test_the_step_and_what_was_first_are_named(
    cli: Cli, cifar: str, tmp_path: Path, where: str, message: str
) -> None:
    run = RunDirectory(tmp_path / "run")
    done = cli(cifar, *poisoned(where), f"hydra.run.dir={run.path}")
    assert done.code == 1
    assert len(done.err.splitlines()) == 1
    assert f"error: training diverged: {message}" in done.err
    assert "precision 32-true" in done.err and "try a lower optimizer.lr" in done.err
    check_that_the_first_epoch_is_kept(run)


def test_images_that_are_not_finite_are_blamed_on_the_data(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Augment.__call__
    calls: list[int] = []

    def spoil(self: Augment, *arguments: Any) -> Any:
        images, labels, targets = plain(self, *arguments)
        calls.append(1)
        if len(calls) == 9:
            images = images.float()
            images[3, 0, 5, 5] = float("inf")
        return images, labels, targets

    monkeypatch.setattr(Augment, "__call__", spoil)
    run = RunDirectory(tmp_path / "run")
    done = cli(cifar, *poisoned("nowhere"), "augment=standard", f"hydra.run.dir={run.path}")
    assert done.code == 1
    assert "an image of the batch is not finite at step 9" in done.err
    assert "look at the data and at augment" in done.err and "lr=" not in done.err
    check_that_the_first_epoch_is_kept(run)


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_signal_does_not_save_what_has_diverged(
    cli: Cli, cifar: str, tmp_path: Path, where: str
) -> None:
    run = RunDirectory(tmp_path / "run")
    done = cli(cifar, *poisoned(where, stop=True), f"hydra.run.dir={run.path}")
    assert done.code == 1
    assert "training diverged: network.backbone.conv1.weight is not finite at step 10" in done.err
    check_that_the_first_epoch_is_kept(run)


def test_weights_that_the_last_step_of_an_epoch_spoiled_are_not_saved(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    words = [*poisoned("gradient", 2 * STEPS), "trainer.check_val_every_n_epoch=3"]
    run = RunDirectory(tmp_path / "run")
    done = cli(cifar, *words, f"hydra.run.dir={run.path}")
    assert done.code == 1
    assert "the gradient is not finite at step 12" in done.err
    assert torch.load(run.last, weights_only=True)["global_step"] == STEPS


def test_what_is_logged_is_finite(cli: Cli, cifar: str, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    words = [*poisoned("loss"), "trainer.log_every_n_steps=1", f"hydra.run.dir={run.path}"]
    assert cli(cifar, *words).code == 1
    assert [event.step for event in read(run).Scalars("train/loss")] == list(range(8))
