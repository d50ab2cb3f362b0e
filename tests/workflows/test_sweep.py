"""Several jobs from one command."""

import signal
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from src.files import read_json
from src.runs import read_runs
from src.training.callbacks import StepSeed
from tests.fixtures.cli import TINY, Cli

SMALL = ["model=resnet20", "data.batch_size=64", "callbacks.model_summary=false", *TINY]


def the_sweep(path: Path) -> Path:
    (found,) = (path / "outputs" / "sweep").iterdir()
    return found


def test_each_job_has_a_directory_and_the_table_shows_them(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    done = cli(cifar, *SMALL, "scheduler=step,cosine", "seed=0,1", "-m")
    assert done.code == 0, done.err
    runs = read_runs(the_sweep(tmp_path))
    assert [run.path.name for run in runs] == ["0", "1", "2", "3"]
    assert all(run.state == "finished" for run in runs)
    assert "scheduler=cosine" in runs[2].overrides
    for run in runs:
        assert "val/acc" in EventAccumulator(str(run.path)).Reload().Tags()["scalars"]
    table = done.out[done.out.index("sweep outputs") :]
    assert table.count("finished") == 4
    assert "seed=1" in table
    assert "data.batch_size" not in table, "only what varies"


def test_a_job_that_fails_does_not_stop_the_others(cli: Cli, cifar: str, tmp_path: Path) -> None:
    done = cli("-m", cifar, *SMALL, "optimizer.lr=1e38,0.1")
    assert done.code == 1
    failed, finished = read_runs(the_sweep(tmp_path))
    assert failed.state == "failed"
    assert "training diverged" in (failed.reason or "")
    assert finished.state == "finished"
    assert "training diverged" in (failed.path / "train.log").read_text()
    assert "failed" in done.out


def test_an_unexpected_error_in_a_job_is_in_its_own_log(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(StepSeed, "on_train_batch_start", broken)
    done = cli("-m", cifar, *SMALL, "seed=0,1")
    assert done.code == 1
    runs = read_runs(the_sweep(tmp_path))
    assert [run.state for run in runs] == ["failed", "failed"]
    for run in runs:
        assert "Traceback" in (run.path / "train.log").read_text()


def test_ctrl_c_ends_the_whole_sweep(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = StepSeed.on_train_batch_start

    def start(*arguments: object) -> None:
        signal.raise_signal(signal.SIGINT)
        plain(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(StepSeed, "on_train_batch_start", start)
    done = cli("-m", cifar, *SMALL, "seed=0,1")
    assert done.code == 130
    (run,) = read_runs(the_sweep(tmp_path))
    assert run.state == "interrupted"
    assert (run.path / "checkpoints/last.ckpt").exists()


def test_the_threads_of_one_job_are_not_those_of_the_next(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    before = torch.get_num_threads()
    assert cli("-m", cifar, *SMALL, "trainer.num_threads=2,null").code == 0
    records = [read_json(the_sweep(tmp_path) / job / "run.json") for job in ("0", "1")]
    assert [record["compute"]["threads"] for record in records] == [2, before]
