"""``last.ckpt`` holds all that was trained, however rarely it is written."""

import signal
from pathlib import Path

import pytest
import torch

from src.runs.directory import RunDirectory
from src.training.callbacks.step_seed import StepSeed
from tests.fixtures.cli import Cli
from tests.fixtures.states import digests
from tests.reliability.settings import EPOCHS, SETTINGS, STEPS, TRUST

pytestmark = pytest.mark.reliability

RARELY = "callbacks.checkpoint_every_n_epochs=2"


def saved_step(run: RunDirectory) -> int:
    return int(torch.load(run.last, weights_only=True)["global_step"])


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        ([], EPOCHS * STEPS),
        (["trainer.max_steps=7"], 7),
        (["trainer.max_epochs=null", "trainer.max_steps=39"], 39),
        # No accuracy can be better by 1.
        (
            [
                "trainer.max_epochs=9",
                "callbacks.early_stopping.enabled=true",
                "callbacks.early_stopping.patience=2",
                "callbacks.early_stopping.min_delta=1",
            ],
            3 * STEPS,
        ),
    ],
)
def test_a_run_ends_with_a_checkpoint_of_its_last_step(
    cli: Cli, images: str, tmp_path: Path, words: list[str], steps: int
) -> None:
    run = RunDirectory(tmp_path / "run")
    done = cli(images, *SETTINGS, RARELY, *words, f"hydra.run.dir={run.path}")
    assert done.code == 0, done.err
    assert saved_step(run) == steps


def test_a_longer_run_is_the_same_in_one_piece_and_in_two(
    cli: Cli, images: str, tmp_path: Path
) -> None:
    # A schedule that does not depend on where the run ends.
    words = [images, *SETTINGS, "scheduler=constant", RARELY]
    whole, part = RunDirectory(tmp_path / "whole"), RunDirectory(tmp_path / "part")
    assert cli(*words, "trainer.max_epochs=4", f"hydra.run.dir={whole.path}").code == 0
    assert cli(*words, "trainer.max_epochs=3", f"hydra.run.dir={part.path}").code == 0
    done = cli(f"resume={part.path}", TRUST, "trainer.max_epochs=4")
    assert done.code == 0, done.err
    assert digests(part.last) == digests(whole.last)


def test_a_signal_between_two_epochs_loses_no_epoch(
    cli: Cli, images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def between(self: StepSeed, trainer: object, module: object) -> None:
        if getattr(trainer, "current_epoch", 0) == 1:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(StepSeed, "on_train_epoch_start", between)
    run = RunDirectory(tmp_path / "run")
    assert cli(images, *SETTINGS, RARELY, f"hydra.run.dir={run.path}").code == 143
    assert saved_step(run) == STEPS + 1
