"""Several jobs from one command, each in a process of its own."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from src.files import read_json
from src.runs.directory import RunDirectory
from src.runs.lock import locked
from src.runs.reader import read_runs
from tests.fixtures.cli import Cli

ROOT = Path(__file__).parents[2]
# Three steps an epoch: the first checkpoint is there before the fifth step.
WORDS = [
    *["-m", "model=custom", "model._target_=tests.fixtures.networks.Troubled"],
    *[
        "data.batch_size=64",
        "trainer.accelerator=cpu",
        "trainer.max_epochs=2",
        "trainer.limit_train_batches=3",
    ],
    *["callbacks.progress_bar=false", "callbacks.model_summary=false", "optimizer.lr=0.01"],
    "logger=csv",
]
CALM = [*WORDS, "+model.trouble=none", "+model.armed=none"]


def the_sweep(path: Path) -> Path:
    (found,) = (path / "outputs" / "sweep").iterdir()
    return found


def states(sweep: Path) -> list[str]:
    return [run.state for run in read_runs(sweep)]


def times(sweep: Path) -> dict[str, Any]:
    """When each job was begun, and how often it was resumed."""
    records = {run.path.name: read_json(RunDirectory(run.path).record) for run in read_runs(sweep)}
    return {
        name: (record["started"], len(record.get("resumed", [])))
        for name, record in records.items()
    }


def wait_for(run: RunDirectory) -> None:
    """Until no process holds the run's lock."""
    with run.lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)


@pytest.fixture
def armed(tmp_path: Path) -> Path:
    path = tmp_path / "armed"
    path.touch()
    return path


def test_each_job_has_a_directory_and_values_can_be_added(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    done = cli(*CALM, cifar, "scheduler=step,cosine", "sweep=mine")
    assert done.code == 0, done.err
    sweep = the_sweep(tmp_path)
    assert sweep.name == "mine"
    assert "2 jobs" in done.out
    assert "to train on: 720 images" in done.out
    first = read_runs(sweep)
    assert [run.path.name for run in first] == ["0", "1"]
    assert "scheduler=cosine" in first[1].overrides
    table = done.out[done.out.rindex("sweep outputs") : done.out.index("mine: val/acc")]
    assert table.count("finished") == 2
    assert "scheduler=step" in table
    assert "data.batch_size" not in table, "only what varies"
    before = times(sweep)

    # What does not matter for the result makes no further job.
    words = ["scheduler=cosine,step,constant", "logger=csv,default", "sweep=mine"]
    done = cli(*CALM, cifar, *words)
    assert done.code == 0, done.err
    assert "3 jobs, 2 of them finished" in done.out
    assert "to train on: 360 images" in done.out
    assert times(sweep) == before | {"2": times(sweep)["2"]}
    assert "scheduler=constant" in read_runs(sweep)[2].overrides


def test_six_jobs_of_which_one_raises_and_one_is_killed(
    cli: Cli, cifar: str, tmp_path: Path, armed: Path
) -> None:
    kinds = "+model.trouble=a,raise,b,SIGKILL,c,d"
    words = [*WORDS, cifar, kinds, f"+model.armed={armed}", "sweep=six"]
    done = cli(*words)
    assert done.code == 1
    sweep = the_sweep(tmp_path)
    assert states(sweep) == ["finished", "failed", "finished", "killed", "finished", "finished"]
    failed, killed = read_runs(sweep)[1], read_runs(sweep)[3]
    assert "a bug" in (failed.reason or "")
    assert "Traceback" in (failed.path / "train.log").read_text()
    assert killed.reason == "killed by SIGKILL"
    assert read_json(RunDirectory(killed.path).record)["checkpoint"] == "checkpoints/last.ckpt"
    for line in ("job 1: 'a bug'", "job 3: killed by SIGKILL"):
        assert line in done.out
    before = times(sweep)

    armed.unlink()
    done = cli(*words)
    assert done.code == 0, done.err
    assert "6 jobs, 4 of them finished" in done.out
    assert states(sweep) == ["finished"] * 6
    after = times(sweep)
    untouched = {name: before[name] for name in ("0", "2", "4", "5")}
    assert after | untouched == after, "finished jobs are left alone"
    assert after["3"] == (before["3"][0], 1), "the killed one was continued"
    assert after["1"][1] == 0, "the failed one was tried again"
    assert read_json(sweep / "attempts" / "1-1" / "run.json")["state"] == "failed"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_stops_the_sweep_after_a_checkpoint_and_the_same_command_goes_on(
    cli: Cli, cifar: str, tmp_path: Path, armed: Path, name: str
) -> None:
    words = [*WORDS, cifar, f"+model.trouble=parent_{name},none", f"+model.armed={armed}"]
    done = cli(*words)
    assert done.code == 128 + getattr(signal, name)
    sweep = the_sweep(tmp_path)
    assert states(sweep) == ["interrupted", "waiting"]
    assert RunDirectory(sweep / "0").last.exists()
    assert f"sweep={sweep.name}" in done.err.splitlines()[-1]
    armed.unlink()
    done = cli(*words, f"sweep={sweep.name}")
    assert done.code == 0, done.err
    assert states(sweep) == ["finished", "finished"]
    assert times(sweep)["0"][1] == 1
    assert read_runs(sweep)[0].metrics["steps"] == 6


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_before_the_first_job_says_how_to_go_on(
    cli: Cli, cifar: str, tmp_path: Path, armed: Path, name: str
) -> None:
    words = [*WORDS, cifar, f"+model.trouble=early_{name}", f"+model.armed={armed}", "seed=0,1"]
    done = cli(*words)
    assert done.code == 128 + getattr(signal, name)
    (line,) = done.err.splitlines()
    assert line.startswith("interrupted; go on with: python -m src.train -m")
    assert states(the_sweep(tmp_path)) == ["waiting", "waiting"]


def test_a_killed_sweep_leaves_no_run_behind_and_is_finished_by_the_same_command(
    cli: Cli, cifar: str, tmp_path: Path, armed: Path
) -> None:
    words = [*WORDS, cifar, "+model.trouble=parent_SIGKILL", f"+model.armed={armed}", "sweep=x"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "src.train", *words]
    killed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    run = RunDirectory(tmp_path / "outputs/sweep/x/0")
    wait_for(run)
    assert states(tmp_path / "outputs/sweep/x") == ["interrupted"]
    armed.unlink()
    assert cli(*words).code == 0
    assert states(tmp_path / "outputs/sweep/x") == ["finished"]


def test_a_job_that_another_process_is_at_is_left_to_it(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    words = [*CALM, cifar, "seed=0", "sweep=shared"]
    assert cli(*words).code == 0
    run = RunDirectory(tmp_path / "outputs/sweep/shared/0")
    record = run.record.read_text()
    run.record.write_text(record.replace('"finished"', '"running"', 1))
    assert states(tmp_path / "outputs/sweep/shared") == ["killed"]
    with locked(run):
        assert states(tmp_path / "outputs/sweep/shared") == ["running"]
        done = cli(*words)
        assert cli(f"resume={run.path}").code == 2
    assert done.code == 1
    assert "another process is running it" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.batch_size=64,100000"], "job 1 "),
        (["data.root=/no/such/folder", "seed=0,1"], "job 0 "),
        (["model.num_classes=7,null"], "7 outputs"),
        (["seed=0,1", "objective=test/acc"], "objective"),
        (["optimizer.lr=0.1,fast"], "optimizer.lr"),
        (["optimizer.lr=interval(0.1,1)"], "search="),
    ],
)
def test_a_sweep_that_cannot_work_fails_before_its_first_job(
    cli: Cli, cifar: str, tmp_path: Path, words: list[str], message: str
) -> None:
    done = cli(*CALM, cifar, *words, "sweep=bad")
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("outputs/sweep/bad/*/run.json"))


def test_a_sweep_that_will_not_fit_on_the_disk_is_not_begun(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("usage", (), {"free": 1000, "total": 1000, "used": 0})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    done = cli(*CALM, cifar, "seed=0,1")
    assert done.code == 2
    assert "are free" in done.err
    assert states(the_sweep(tmp_path)) == ["waiting", "waiting"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep=x"], "add -m"),
        (["-m", "sweep=x", "hydra.sweep.dir=y"], "leave one"),
        (["-m", "sweep=/proc/x"], "cannot be written"),
        (["sweep=.", "-m", "seed=0,1"], "not a name"),
        (["-m", "sweep=.."], "not a name"),
        (["-m", "sweep=''"], "not a name"),
        (["-m", "sweep=a,b"], "not a name"),
    ],
)
def test_a_sweep_needs_a_name_and_a_place(cli: Cli, words: list[str], message: str) -> None:
    done = cli(*words, "data=shapes")
    assert done.code == 2
    assert message in done.err


def test_the_threads_of_one_job_are_not_those_of_the_next(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    assert cli(*CALM, cifar, "trainer.num_threads=2,null").code == 0
    records = [read_json(the_sweep(tmp_path) / job / "run.json") for job in ("0", "1")]
    assert [record["compute"]["threads"] for record in records] == [2, 1]
