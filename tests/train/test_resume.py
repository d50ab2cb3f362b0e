"""A run that was stopped continues where it stopped, as if it had not been."""

import json
import shlex
import signal
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from src.runs.directory import RunDirectory
from src.runs.reader import read_rows
from src.training.callbacks.step_seed import StepSeed
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
    # Typed again it makes a run of its own.
    assert record["command"].endswith("callbacks.progress_bar=false")
    assert record["resumed"][0]["command"].endswith("trainer.max_epochs=3")
    assert "max_epochs: 3" in run.config.read_text()


def test_rows_that_a_crash_left_unreadable_are_left_out(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    run = RunDirectory(tmp_path / "run")
    assert cli(cifar, "model=resnet20", *TINY, f"hydra.run.dir={run.path}").code == 0
    before = read_rows(run)
    with run.rows.open("ab") as file:
        file.write(b"\xff\xfe,1,")
    assert cli(f"resume={run.path}", "trainer.max_epochs=2").code == 0
    after = read_rows(run)
    assert [row for row in after if row["epoch"] == 0][:2] == before[:2]


def test_the_command_to_go_on_with_can_be_typed_for_any_directory(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a (b), c"
    interrupt_at(monkeypatch, 1, signal.SIGINT)
    done = cli(cifar, *WORDS, f"hydra.run.dir='{path}'")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert done.code == 130
    words = shlex.split(done.err.strip().partition("continue with ")[2])
    again = cli(*words, "trainer.max_epochs=1")
    assert again.code == 0, again.err


def test_a_run_that_was_moved_keeps_its_best_checkpoint(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    old, new = RunDirectory(tmp_path / "old"), RunDirectory(tmp_path / "new")
    assert cli(cifar, "model=resnet20", *TINY, f"hydra.run.dir={old.path}").code == 0
    state = torch.load(old.last, weights_only=True)
    for callback in state["callbacks"].values():
        if callback.get("best_k_models") and callback.get("monitor"):
            # Better than anything that two batches of noise will reach.
            callback["best_model_score"] = callback["kth_value"] = torch.tensor(0.99)
            callback["best_k_models"] = {callback["best_model_path"]: torch.tensor(0.99)}
    torch.save(state, old.last)
    best = old.best.read_bytes()
    old.path.rename(new.path)
    assert cli(f"resume={new.path}", "trainer.max_epochs=2").code == 0
    assert new.best.read_bytes() == best


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("moment", ["on_test_start", "setup"])
def test_a_signal_outside_of_training_ends_the_run_with_its_own_code(
    cli: Cli,
    cifar: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    code: int,
    moment: str,
) -> None:
    monkeypatch.setattr(StepSeed, moment, lambda *_, **__: signal.raise_signal(number))
    run = RunDirectory(tmp_path / "run")
    done = cli(cifar, "model=resnet20", *TINY, f"hydra.run.dir={run.path}")
    assert done.code == code
    assert done.err.startswith(f"interrupted by {signal.Signals(number).name}; ")
    assert json.loads(run.record.read_text())["state"] == "interrupted"
    if moment == "on_test_start":
        assert f"continue with resume={run.path}" in done.err


def test_a_second_signal_ends_the_run_in_the_middle_of_a_step(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(StepSeed, "on_train_batch_start", twice)
    run = RunDirectory(tmp_path / "run")
    done = cli(cifar, "model=resnet20", *TINY, f"hydra.run.dir={run.path}")
    assert done.code == 130
    assert not run.last.exists()
    assert json.loads(run.record.read_text())["state"] == "interrupted"
