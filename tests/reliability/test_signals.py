"""SIGTERM and Ctrl-C at any moment of a run's life: the exit code, the record, the checkpoint."""

import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from src.runs.directory import RunDirectory
from tests.fixtures.cli import Cli
from tests.fixtures.processes import Training
from tests.reliability.settings import SETTINGS, STEPS, TRUST

pytestmark = pytest.mark.reliability

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
EPOCHS = 10
LONG = [*SETTINGS, f"trainer.max_epochs={EPOCHS}"]
MOMENTS = 10


class Life:
    """How much the main thread of a whole run has computed, in seconds, by when."""

    def __init__(self, training: Training, run: RunDirectory):
        assert training.until(lambda: training.steps() > 0), training.err
        self.first_step = training.cpu_seconds()
        assert training.until(lambda: training.steps() == EPOCHS * STEPS), training.err
        self.last_step = training.cpu_seconds()
        assert training.until(lambda: state(run) == "finished"), training.err
        self.end = training.cpu_seconds()
        assert training.end() == 0, training.err


@pytest.fixture(scope="module")
def life(images: str, tmp_path_factory: pytest.TempPathFactory) -> Life:
    place = tmp_path_factory.mktemp("life")
    return Life(Training(place, images, *LONG, "hydra.run.dir=run"), RunDirectory(place / "run"))


def state(run: RunDirectory) -> Any:
    return json.loads(run.record.read_text())["state"] if run.record.exists() else None


def wait_for(moment: int, training: Training, life: Life, chance: random.Random) -> bool:
    """Four moments are before the first step, four in training, two from its last step on."""
    if moment < 4:
        computed = life.first_step * (moment + chance.random()) / 4
        return training.until(lambda: training.cpu_seconds() >= computed)
    if moment < 8:
        # The last step of an epoch, with the validation and the checkpoint behind it, or any.
        steps = chance.randrange(1, EPOCHS) * STEPS - (moment % 2) * chance.randrange(STEPS)
        share = (life.last_step - life.first_step) / (EPOCHS * STEPS) * chance.random()
    else:
        steps = EPOCHS * STEPS
        share = (life.end - life.last_step) * (moment - 8 + chance.random()) / 2
    if not training.until(lambda: training.steps() >= steps):
        return False
    before = training.cpu_seconds()
    return training.until(lambda: training.cpu_seconds() >= before + share)


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("number", CODES)
def test_a_signal_at_any_moment_ends_the_run_in_an_orderly_way(
    cli: Cli, images: str, tmp_path: Path, life: Life, number: signal.Signals, moment: int
) -> None:
    run = RunDirectory(tmp_path / "run")
    training = Training(tmp_path, images, *LONG, f"hydra.run.dir={run.path}")
    chance = random.Random(f"{number.name} {moment}")
    assert wait_for(moment, training, life, chance), training.err
    claimed, before = run.path.exists(), state(run)
    training.send(number)
    code = training.end()
    if not claimed:
        # Python itself is still starting: its answer, or the system's.
        assert code in (CODES[number], -number)
        assert not run.path.exists()
        return
    assert before is None or state(run) is not None
    if state(run) == "finished":
        # It came when all was done: too late, or while Hydra took leave of the job.
        by = "" if number == signal.SIGINT else f" by {number.name}"
        assert (code, training.err) in [(0, ""), (CODES[number], f"interrupted{by}\n")]
        return
    assert code == CODES[number], training.err
    assert state(run) in (None, "interrupted")
    (line,) = training.err.splitlines()
    assert line.startswith("interrupted")
    if not training.steps():
        assert not run.last.exists()
        return
    assert line.endswith(f"continue with resume={run.path} '{TRUST}'")
    saved = torch.load(run.last, weights_only=True)["global_step"]
    assert saved == training.steps(), "no step that was begun is lost"
    done = cli(f"resume={run.path}", TRUST)
    assert done.code == 0, done.err
    assert json.loads(run.metrics.read_text())["steps"] == EPOCHS * STEPS
    assert state(run) == "finished"


@pytest.mark.parametrize("number", CODES)
def test_a_second_signal_ends_the_run_within_the_step(
    images: str, tmp_path: Path, number: signal.Signals
) -> None:
    run = RunDirectory(tmp_path / "run")
    words = [images, *LONG, f"hydra.run.dir={run.path}"]
    training = Training(tmp_path, *words, HOLD_UNTIL=str(tmp_path / "never"))
    assert training.until(lambda: training.steps() > 0), training.err
    training.send(number)
    assert training.until(lambda: "stopping after this step" in training.out), training.err
    training.send(number)
    assert training.end() == CODES[number]
    assert training.err == f"interrupted by {number.name}; nothing was saved yet\n"
    assert state(run) == "interrupted"
    assert training.steps() == 1 and not run.last.exists()


def test_ctrl_c_in_a_terminal_means_the_run_and_not_its_loader_processes(
    images: str, tmp_path: Path
) -> None:
    run, go_on = RunDirectory(tmp_path / "run"), tmp_path / "go_on"
    words = [images, *LONG, f"hydra.run.dir={run.path}", "data.num_workers=2"]
    training = Training(tmp_path, *words, HOLD_UNTIL=str(go_on))
    assert training.until(lambda: training.steps() > 0), training.err
    training.press_ctrl_c()
    assert training.until(lambda: "stopping after this step" in training.out), training.err
    go_on.touch()
    assert training.end() == 130
    assert training.out.count("stopping after this step") == 1
    way = f"continue with resume={run.path} '{TRUST}'"
    assert training.err == f"interrupted by SIGINT at step 1; {way}\n"
    assert torch.load(run.last, weights_only=True)["global_step"] == 1


def test_sigterm_of_torchrun_means_the_ranks_and_not_their_loader_processes(
    cli: Cli, images: str, tmp_path: Path
) -> None:
    """It signals the whole process group of each rank."""
    run, go_on = RunDirectory(tmp_path / "run"), tmp_path / "go_on"
    words = [images, *LONG, f"hydra.run.dir={run.path}", "data.num_workers=2", "trainer=ddp"]
    torchrun = ("torch.distributed.run", "--nproc-per-node=2", "-m")
    training = Training(tmp_path, *words, launcher=torchrun, HOLD_UNTIL=str(go_on))
    assert training.until(lambda: training.steps() == 2), training.err
    training.send(signal.SIGTERM)
    assert training.until(lambda: "stopping after this step" in training.out), training.err
    go_on.touch()
    training.end()
    assert state(run) == "interrupted", training.err
    way = f"continue with resume={run.path} '{TRUST}'"
    assert f"interrupted by SIGTERM at step 1; {way}\n" in training.err
    assert torch.load(run.last, weights_only=True)["global_step"] == 1
    words = ["trainer.devices=1", "trainer.max_epochs=1", "data.num_workers=0"]
    done = cli(f"resume={run.path}", TRUST, *words)
    assert done.code == 0, done.err
