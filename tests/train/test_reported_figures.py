"""What a run reports of itself is what it did."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from src.runs.directory import RunDirectory
from src.runs.reader import read_rows
from src.training.callbacks import metrics_logger
from src.training.classifier import ImageClassifier
from src.training.schedules import build_factor
from tests.fixtures.cli import TINY, Cli
from tests.fixtures.options import scheduler_settings

SMALL = ["model=resnet20", "data.batch_size=64", "logger=csv", *TINY]
WHOLE = [f"trainer.limit_{part}_batches=null" for part in ("train", "val", "test")]


@pytest.mark.parametrize("which", ["best", "last"])
@pytest.mark.parametrize("callbacks", ["default", "ema"])
def test_a_run_and_its_evaluation_find_the_same_figures(
    cli: Cli, evaluate_cli: Cli, cifar: str, tmp_path: Path, callbacks: str, which: str
) -> None:
    run = RunDirectory(tmp_path / "run")
    # A rate that rises until the second epoch is worse than the first.
    words = ["trainer.max_epochs=2", "callbacks.monitor=val/loss", f"callbacks={callbacks}"]
    words += ["scheduler=onecycle", "scheduler.peak=0.99", "optimizer.lr=0.3"]
    words += [f"test_checkpoint={which}"]
    done = cli(cifar, *SMALL, *WHOLE, *words, f"hydra.run.dir={run.path}")
    assert done.code == 0, done.err
    figures = json.loads(run.metrics.read_text())
    assert figures["best_epoch"] == 1, "the best weights are not the last"
    assert figures["images"] == 2 * 180, "all that was trained on, whichever weights were tested"
    done = evaluate_cli(f"run={run.path}", f"checkpoint={which}", "output=evaluation")
    assert done.code == 0, done.err
    found = json.loads((tmp_path / "evaluation/metrics.json").read_text())
    assert figures["test/acc"] == pytest.approx(found["acc"])
    assert figures["test/loss"] == pytest.approx(found["loss"], rel=1e-4)


# Of 180 images six steps an epoch, the last of them with 20.
SIZES = [32, 32, 32, 32, 32, 20] * 2
TWO_EPOCHS = ["data.batch_size=32", "trainer.max_epochs=2"]


def rows_of_steps(run: RunDirectory) -> list[dict[str, float]]:
    return [row for row in read_rows(run) if "train/loss" in row]


def test_the_rate_in_the_log_is_the_one_that_the_step_was_made_with(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    run = RunDirectory(tmp_path / "run")
    words = [*SMALL, *WHOLE, *TWO_EPOCHS, "scheduler=onecycle", "trainer.log_every_n_steps=1"]
    done = cli(cifar, *words, "optimizer.lr=0.1", f"hydra.run.dir={run.path}")
    assert done.code == 0, done.err
    options = {"peak": 0.2, "start": 0.04, "final": 1e-4, "anneal": "linear"}
    factor = build_factor(scheduler_settings("onecycle", **options), 12, 6)
    expected = [0.1 * factor(step) for step in range(12)]
    assert [row["lr"] for row in rows_of_steps(run)] == pytest.approx(expected)


def test_readings_are_over_whole_windows_also_across_the_end_of_an_epoch(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    steps, windows = RunDirectory(tmp_path / "steps"), RunDirectory(tmp_path / "windows")
    for run, every in ((steps, 1), (windows, 4)):
        words = [*SMALL, *WHOLE, *TWO_EPOCHS, f"trainer.log_every_n_steps={every}"]
        done = cli(cifar, *words, f"hydra.run.dir={run.path}")
        assert done.code == 0, done.err
    for name in ("train/loss", "train/acc"):
        each = torch.tensor([row[name] for row in rows_of_steps(steps)])
        weights = torch.tensor(SIZES, dtype=each.dtype)
        sums = (each * weights).view(3, 4).sum(dim=1) / weights.view(3, 4).sum(dim=1)
        found = [row[name] for row in rows_of_steps(windows)]
        assert found == pytest.approx(sums.tolist(), rel=1e-4), name
    assert [row["step"] for row in rows_of_steps(windows)] == [3, 7, 11]


def test_a_run_of_fewer_steps_than_a_window_is_read_at_the_end_of_each_epoch(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    run = RunDirectory(tmp_path / "run")
    done = cli(cifar, *SMALL, *WHOLE, *TWO_EPOCHS, f"hydra.run.dir={run.path}")
    assert done.code == 0, done.err
    assert [row["step"] for row in rows_of_steps(run)] == [5, 11]


def test_start_up_is_no_part_of_the_speed(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step with a batch of a new shape takes 100 s here, as with a compiler, any other 1 s."""
    now, seen = 0.0, set()
    plain = ImageClassifier.training_step

    def step(self: ImageClassifier, batch: Any, batch_idx: int) -> torch.Tensor:
        nonlocal now
        now += 1 if len(batch.labels) in seen else 100
        seen.add(len(batch.labels))
        return plain(self, batch, batch_idx)

    monkeypatch.setattr(ImageClassifier, "training_step", step)
    monkeypatch.setattr(metrics_logger, "time", SimpleNamespace(perf_counter=lambda: now))
    run = RunDirectory(tmp_path / "run")
    done = cli(cifar, *SMALL, *WHOLE, *TWO_EPOCHS, f"hydra.run.dir={run.path}")
    assert done.code == 0, done.err
    figures = json.loads(run.metrics.read_text())
    assert figures["startup_seconds"] == 200
    assert figures["train_seconds"] == 10
    assert figures["images"] == 360
    assert figures["images_per_second"] == pytest.approx((360 - 32 - 20) / 10)
    assert "200.0 s to start, 10.0 s of training, 31 images/s" in done.out
    log = (run.path / "train.log").read_text()
    assert "32 img/s" in log and "30 img/s" in log, "the speed of each epoch"


def test_a_run_of_one_step_has_no_speed(cli: Cli, cifar: str, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    done = cli(cifar, *SMALL, "trainer.limit_train_batches=1", f"hydra.run.dir={run.path}")
    assert done.code == 0, done.err
    assert json.loads(run.metrics.read_text())["images_per_second"] is None
    assert "images/s" not in done.out
