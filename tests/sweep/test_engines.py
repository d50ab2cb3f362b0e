"""Sweeps that an engine runs, and searches: each for real, with two small jobs."""

import os
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf

from src.config.compose import explain
from src.distributed.ranks import usable_cores
from src.files import read_json
from src.runs.reader import read_runs
from src.sweep.job_runner import threads_per_job
from tests.fixtures.cli import Cli
from tests.sweep.test_sweep import CALM, WORDS

EXTRAS = {
    "joblib": "hydra_plugins.hydra_joblib_launcher",
    "submitit_local": "hydra_plugins.hydra_submitit_launcher",
    "ray": "hydra_plugins.hydra_ray_launcher",
}
OPTIONS = {
    "joblib": ["hydra.launcher.n_jobs=2"],
    "submitit_local": ["hydra.launcher.timeout_min=5"],
    "ray": [
        "+hydra.launcher.ray.init.num_cpus=2",
        "+hydra.launcher.ray.init.include_dashboard=false",
    ],
}


def installed(module: str, extra: str) -> None:
    pytest.importorskip(module, reason=f"not installed: pip install '.[{extra}]'")


@pytest.mark.alone  # Ray allows its many processes 30 seconds, too short beside other tests
@pytest.mark.parametrize("launcher", EXTRAS)
def test_an_engine_runs_the_jobs_in_their_directories(
    cli: Cli, cifar: str, tmp_path: Path, launcher: str
) -> None:
    installed(EXTRAS[launcher], launcher)
    words = [*CALM, cifar, "seed=0,1", f"hydra/launcher={launcher}", *OPTIONS[launcher], "sweep=x"]
    done = cli(*words)
    for _ in range(2):
        if "timed out during startup" in done.err:
            done = cli(*words)
    assert done.code == 0, done.err
    sweep = tmp_path / "outputs/sweep/x"
    runs = read_runs(sweep)
    assert [(run.path.name, run.state) for run in runs] == [("0", "finished"), ("1", "finished")]
    assert {read_json(run.path / "run.json")["seed"] for run in runs} == {0, 1}
    for run in runs:
        assert "epoch 2/2" in (run.path / "output.log").read_text()
    assert "epoch 2/2" not in done.out, "jobs at once do not write over each other"
    assert (sweep / "report/report.html").exists()


def test_jobs_at_once_save_before_the_engine_ends_them(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    installed(EXTRAS["joblib"], "joblib")
    (tmp_path / "armed").write_text(str(os.getpid()))
    words = [*WORDS, cifar, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "sweep=x"]
    troubles = ["+model.trouble=sweep_SIGINT,none,calm", f"+model.armed={tmp_path / 'armed'}"]
    done = cli(*words, *troubles, "trainer.limit_train_batches=2", "trainer.max_epochs=20")
    assert done.code == 130
    first, second, third = read_runs(tmp_path / "outputs/sweep/x")
    assert (first.state, third.state) == ("interrupted", "waiting")
    assert second.state in ("interrupted", "finished", "waiting")  # for its worker to start
    assert (first.path / "checkpoints/last.ckpt").exists()
    assert not list((tmp_path / "outputs/sweep/x").glob(".stop-*"))


def test_a_job_may_be_several_processes_and_the_next_starts_clean(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    words = [*CALM, cifar, "trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]
    done = cli(*words, "seed=0,1", "sweep=x", "trainer.max_epochs=2")
    assert done.code == 0, done.err
    runs = read_runs(tmp_path / "outputs/sweep/x")
    assert [(run.path.name, run.state) for run in runs] == [("0", "finished"), ("1", "finished")]
    for run in runs:
        assert read_json(run.path / "run.json")["ranks"]["world_size"] == 2
        assert (run.path / "train.log").read_text().count("epoch 2/2") == 1
    assert not list(tmp_path.glob("outputs/train/*"))


def test_jobs_at_once_share_the_cores() -> None:
    joblib = {"_target_": "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"}
    cores = usable_cores()
    assert threads_per_job(OmegaConf.create(joblib | {"n_jobs": -1})) == 1
    assert threads_per_job(OmegaConf.create(joblib | {"n_jobs": 2})) == max(1, cores // 2)
    assert threads_per_job(OmegaConf.create(joblib | {"n_jobs": 1})) is None
    assert (
        threads_per_job(OmegaConf.create({"_target_": "x.LocalLauncher", "cpus_per_task": 3})) == 3
    )
    assert threads_per_job(OmegaConf.create({"_target_": "x.RayLauncher"})) is None


@pytest.mark.parametrize("search", ["optuna", "optuna_random"])
def test_a_search_survives_a_trial_that_diverges_and_can_be_continued(
    cli: Cli, cifar: str, tmp_path: Path, search: str
) -> None:
    installed("hydra_plugins.hydra_optuna_sweeper", "optuna")
    words = [word for word in CALM[1:] if not word.startswith("optimizer.lr=")]
    words += [cifar, f"search={search}", "sweep=x", "hydra.sweeper.n_trials=2"]
    done = cli(*words, "optimizer.lr=interval(0.01,0.02)", "label_smoothing=0.1")
    assert done.code == 0, done.err
    assert "a search of 2 trials" in done.out
    storage = f"sqlite:///{tmp_path}/outputs/sweep/x/study.db"
    (trial, _) = optuna.load_study("search", storage).trials
    best = max(run.metrics["val/acc"] for run in read_runs(tmp_path / "outputs/sweep/x"))
    assert optuna.load_study("search", storage).best_value == pytest.approx(best)
    assert trial.state == optuna.trial.TrialState.COMPLETE

    done = cli(*words, "optimizer.lr=interval(1e37,1e38)")
    assert done.code == 0, "a search lives on trials that fail"
    assert "diverged" in done.out
    found = [trial.state.name for trial in optuna.load_study("search", storage).trials]
    assert found == ["COMPLETE", "COMPLETE", "FAIL", "FAIL"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["objective=test/acc"], "objective=test/acc"),
        (["objective=val/loss"], "hydra.sweeper.direction=minimize"),
    ],
)
def test_a_search_for_the_wrong_thing_is_refused(cli: Cli, words: list[str], message: str) -> None:
    done = cli("data=shapes", "search=optuna", *words)
    assert done.code == 2
    assert message in done.err


def test_an_engine_that_does_not_start_is_one_line(cli: Cli, cifar: str) -> None:
    installed(EXTRAS["joblib"], "joblib")
    words = ["hydra/launcher=joblib", "hydra.launcher.pre_dispatch=nonsense"]
    done = cli(*CALM, cifar, "seed=0,1", *words)
    assert done.code == 1
    assert "error: hydra.launcher or hydra.sweeper failed: " in done.err
    assert "nonsense" in done.err


def test_an_engine_that_is_not_installed_is_named_with_its_extra() -> None:
    error = Exception("In 'hydra/config': Could not find 'hydra/launcher/submitit_slurm'\nfurther")
    assert explain(error).endswith("not installed; pip install '.[submitit]'")
    error = Exception("In 'hydra/config': Could not find 'hydra/launcher/jobli'\nfurther")
    assert "did you mean joblib?" in explain(error)
