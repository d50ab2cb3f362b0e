"""On a real SLURM of one node: tasks of srun, jobs of a sweep, a job that is queued again."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from src.files import read_json
from src.runs.directory import RunDirectory
from tests.fixtures.slurm import slurm_of_one_node
from tests.reliability.settings import SETTINGS

pytestmark = pytest.mark.reliability

ROOT = Path(__file__).parents[2]
WORDS = [*SETTINGS, "callbacks=default", "callbacks.progress_bar=false", "trainer=ddp"]
WORDS += ["trainer.accelerator=cpu", "trainer.max_epochs=4"]
PATIENCE = 120.0


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with slurm_of_one_node(tmp_path_factory.mktemp("slurm") / "one") as configuration:
        yield configuration


class Slurm:
    """Commands in a directory, with the environment that a user of this SLURM has."""

    def __init__(self, configuration: Path, place: Path):
        self.place = place
        self._env = os.environ | {
            "SLURM_CONF": str(configuration),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "STEPS_FILE": str(place / "steps"),
        }

    def __call__(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.place, env=self._env, capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == "" or command[0] != "srun", done.stderr
        return done.stdout

    def steps(self) -> int:
        """How many training steps all ranks together have begun."""
        path = self.place / "steps"
        return path.read_bytes().count(b"\n") if path.exists() else 0


def train(*words: str) -> list[str]:
    return [sys.executable, "-m", "src.train", *words]


def weights(run: RunDirectory) -> dict[str, torch.Tensor]:
    state = torch.load(run.last, weights_only=True)["state_dict"]
    assert isinstance(state, dict)
    return state


@pytest.fixture(scope="module")
def uninterrupted(
    slurm: Path, images: str, tmp_path_factory: pytest.TempPathFactory
) -> RunDirectory:
    """A run of two tasks of srun."""
    place = tmp_path_factory.mktemp("tasks")
    Slurm(slurm, place)("srun", "--ntasks=2", *train(images, *WORDS))
    (run,) = (place / "outputs/train").iterdir()
    return RunDirectory(run)


def test_tasks_of_srun_are_the_ranks_of_one_run(uninterrupted: RunDirectory) -> None:
    assert uninterrupted.path.name.startswith("slurm-")
    record = read_json(uninterrupted.record)
    assert (record["state"], record["ranks"]["world_size"]) == ("finished", 2)


def test_a_job_that_is_queued_again_goes_on_where_it_was(
    uninterrupted: RunDirectory, slurm: Path, images: str, tmp_path: Path
) -> None:
    here = Slurm(slurm, tmp_path)
    words = " ".join(f"'{word}'" for word in train(images, *WORDS))
    (tmp_path / "job.sh").write_text(f"#!/bin/sh\nsrun --ntasks=2 {words}\n")
    job = here("sbatch", "--parsable", "--requeue", "--ntasks=2", "job.sh").strip()
    run = RunDirectory(tmp_path / f"outputs/train/slurm-{job}-0")
    wait_until(lambda: here.steps() >= 2 * 24, here)
    here("scontrol", "requeue", job)
    # SLURM leaves two minutes to the node.
    wait_until(lambda: "PENDING" in here("scontrol", "show", "job", job), here)
    here("scontrol", "update", f"JobId={job}", "StartTime=now")
    wait_until(lambda: run.record.exists() and read_json(run.record)["state"] == "finished", here)
    ended = "\n".join(file.read_text() for file in tmp_path.glob("slurm-*.out"))
    assert here.steps() < 2 * (4 * 16 + 24), "it began anew"
    assert len(list((tmp_path / "outputs/train").iterdir())) == 1, ended
    one, other = weights(run), weights(uninterrupted)
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_jobs_of_a_sweep_are_jobs_of_slurm(slurm: Path, images: str, tmp_path: Path) -> None:
    here = Slurm(slurm, tmp_path)
    words = [images, *WORDS, "trainer=default", "trainer.accelerator=cpu", "trainer.max_epochs=1"]
    here(*train("-m", "seed=0,1", *words, "hydra/launcher=submitit_slurm", "sweep=two"))
    records = [read_json(tmp_path / f"outputs/sweep/two/{job}/run.json") for job in (0, 1)]
    assert [record["state"] for record in records] == ["finished", "finished"]
    assert len(list(tmp_path.glob("outputs/sweep/two/.submitit/*/*_result.pkl"))) == 2


def wait_until(condition: object, here: Slurm) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        said = "\n".join(file.read_text() for file in here.place.glob("slurm-*.out"))
        assert time.monotonic() < deadline, f"waited in vain\n{said}"
        time.sleep(0.05)
