"""What a run reports of itself is what it did."""

import json
from pathlib import Path

import pytest

from src.runs import RunDirectory
from tests.fixtures.cli import TINY, Cli

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
