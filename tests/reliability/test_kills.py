"""A run that is killed again and again ends as if nothing had happened."""

import json
import random
import signal
import time
from pathlib import Path

import pytest

from src.runs.directory import RunDirectory
from tests.fixtures.cli import Cli
from tests.fixtures.processes import Training
from tests.fixtures.states import digests
from tests.reliability.settings import SETTINGS, STEPS, TRUST

pytestmark = pytest.mark.reliability

KILLS = 6
LONG = [*SETTINGS, "trainer.max_epochs=20"]


def written(run: RunDirectory) -> int:
    """When the record of a run was written last, in ns; 0 where there is none."""
    return run.record.stat().st_mtime_ns if run.record.exists() else 0


def train_and_kill(run: RunDirectory, place: Path, words: list[str], chance: random.Random) -> None:
    """Begin or resume a run, and kill it in a set-up in six, else anywhere in a later step."""
    before = written(run)
    training = Training(place, *words)
    if chance.random() < 1 / 6:
        assert training.until(lambda: written(run) > before), training.err
    else:
        # Up to the third epoch of this process, its validation and checkpoint among the places.
        steps = chance.randrange(1, 3 * STEPS)
        assert training.until(lambda: training.steps() >= steps), training.err
    time.sleep(chance.random() * 0.01)
    training.send(signal.SIGKILL)
    assert training.end() == -signal.SIGKILL, "killed while it trained"
    assert json.loads(run.record.read_text())["state"] == "running"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_killed_six_times_ends_with_the_weights_of_one_that_never_was(
    cli: Cli, images: str, tmp_path: Path, workers: int
) -> None:
    whole = RunDirectory(tmp_path / "whole")
    assert cli(images, *LONG, f"hydra.run.dir={whole.path}").code == 0
    chance = random.Random(workers)
    place = tmp_path / "processes"
    place.mkdir()
    begun = 1
    for _ in range(KILLS):
        part = RunDirectory(tmp_path / f"part{begun}")
        if part.last.exists():
            train_and_kill(part, place, [f"resume={part.path}", TRUST], chance)
        else:
            words = [images, *LONG, f"data.num_workers={workers}", f"hydra.run.dir={part.path}"]
            train_and_kill(part, place, words, chance)
        if not part.last.exists():
            refused = cli(f"resume={part.path}", TRUST)
            assert refused.code == 2 and "start it anew" in refused.err
            begun += 1
    training = Training(place, f"resume={part.path}", TRUST)
    assert training.end() == 0, training.err
    assert digests(part.last) == digests(whole.last)
    figures = [json.loads(run.metrics.read_text()) for run in (whole, part)]
    for name in ("val/loss", "val/acc", "test/loss", "test/acc", "train/loss", "steps", "images"):
        assert figures[0][name] == figures[1][name], name
