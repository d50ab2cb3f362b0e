"""A run that was stopped continues where it stopped, as if it had not been."""

import json
import signal
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from src.runs import RunDirectory
from src.runs.results import read_rows
from src.training.callbacks import StepSeed
from tests.fixtures.cli import TINY, Cli

# Everything that could carry state from step to step.
WORDS = [
    "model=resnet20",
    "model.dropout=0.1",
    "augment=strong",
    "scheduler=cosine",
    "callbacks=ema",
    "data.batch_size=32",
    *TINY,
    "trainer.limit_train_batches=null",
    "trainer.max_epochs=2",
    "trainer.log_every_n_steps=4",
]


def weights(run: RunDirectory) -> torch.Tensor:
    state = torch.load(run.last, weights_only=True)
    return torch.cat([tensor.flatten().float() for tensor in state["state_dict"].values()])


def interrupt_at(monkeypatch: pytest.MonkeyPatch, batch: int, number: int) -> None:
    """Send the process a signal when it begins the given batch of the run."""
    plain = StepSeed.on_train_batch_start

    def start(self, trainer, module, *rest):  # type: ignore[no-untyped-def]
        if trainer.fit_loop.epoch_loop.total_batch_idx == batch:
            signal.raise_signal(number)
        plain(self, trainer, module, *rest)

    monkeypatch.setattr(StepSeed, "on_train_batch_start", start)


# 180 images make 6 batches an epoch: in the first epoch, at its last step, in the second.
@pytest.mark.parametrize("batch", [1, 5, 8])
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    whole, part = RunDirectory(tmp_path / "whole"), RunDirectory(tmp_path / "part")
    assert cli(cifar, *WORDS, f"hydra.run.dir={whole.path}").code == 0
    with monkeypatch.context() as patch:
        interrupt_at(patch, batch, signal.SIGINT)
        done = cli(cifar, *WORDS, f"hydra.run.dir={part.path}")
    assert done.code == 130
    assert f"continue with resume={part.path}" in done.err
    assert json.loads(part.record.read_text())["state"] == "interrupted"
    done = cli(f"resume={part.path}")
    assert done.code == 0, done.err
    assert torch.equal(weights(whole), weights(part))
    ends = [json.loads(run.metrics.read_text()) for run in (whole, part)]
    for name in ("val/acc", "test/loss", "train/acc", "steps", "epochs", "images"):
        assert ends[0][name] == ends[1][name], name
    events = EventAccumulator(str(part.path)).Reload().Scalars("train/loss")
    losses = [[row for row in read_rows(run) if "train/loss" in row] for run in (whole, part)]
    assert [row["step"] for row in losses[0]] == [row["step"] for row in losses[1]]
    assert [event.step for event in events] == [row["step"] for row in losses[0]]
    assert [row["train/loss"] for row in losses[0]] == pytest.approx(
        [row["train/loss"] for row in losses[1]], rel=1e-4
    )


def test_sigterm_saves_and_exits_with_its_own_code(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_at(monkeypatch, 2, signal.SIGTERM)
    done = cli(cifar, *WORDS, f"hydra.run.dir={tmp_path / 'run'}")
    assert done.code == 143
    assert torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["global_step"] == 3


def test_a_finished_run_goes_on_only_for_more_epochs(cli: Cli, cifar: str, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    words = [cifar, "model=resnet20", "data.batch_size=64", *TINY]
    assert cli(*words, f"hydra.run.dir={run.path}").code == 0
    done = cli(f"resume={run.path}")
    assert done.code == 2
    assert "this run is finished (1 epochs, 2 steps); raise trainer.max_epochs" in done.err
    done = cli(f"resume={run.path}", "trainer.max_epochs=3")
    assert done.code == 0, done.err
    assert json.loads(run.metrics.read_text())["epochs"] == 3
    record = json.loads(run.record.read_text())
    assert record["command"].endswith(f"hydra.run.dir={run.path}")
    assert record["resumed"][0]["command"].endswith("trainer.max_epochs=3")
    assert "max_epochs: 3" in run.config.read_text()


def test_what_cannot_be_resumed_is_said_in_one_line(cli: Cli, cifar: str, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    (tmp_path / "empty").mkdir()
    for words, message in (
        (["resume=nowhere"], "resume=nowhere: no such directory"),
        ([f"resume={tmp_path / 'empty'}"], "not a run directory"),
    ):
        done = cli(*words)
        assert (done.code, len(done.err.splitlines())) == (2, 1)
        assert message in done.err
    assert cli(cifar, "model=resnet20", *TINY, f"hydra.run.dir={run.path}").code == 0
    for words, message in (
        (["model=resnet18"], "a resumed run keeps its options"),
        (["trainer.max_epoch=3"], "has no such setting"),
        (["trainer.max_epochs=0"], "out of range"),
    ):
        done = cli(f"resume={run.path}", *words)
        assert done.code == 2
        assert message in done.err
    run.last.write_bytes(run.last.read_bytes()[:1000])
    done = cli(f"resume={run.path}", "trainer.max_epochs=2")
    assert done.code == 2
    assert "last.ckpt: not a readable checkpoint" in done.err
    run.last.unlink()
    assert "nothing to continue from" in cli(f"resume={run.path}", "trainer.max_epochs=2").err
