"""What libraries warn of needlessly is not on the screen, in any process of a run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.processes import ROOT, Training

WORDS = ["trainer=smoke", "trainer.accelerator=cpu", "callbacks.progress_bar=false"]


@pytest.fixture
def srun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name on the PATH, at which Lightning gives advice."""
    program = tmp_path / "bin/srun"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


@pytest.mark.usefixtures("srun")
@pytest.mark.parametrize("words", [["data.num_workers=2"], ["trainer.devices=2", "seed=1"]])
def test_a_run_and_what_follows_it_warn_of_nothing(
    words: list[str], cifar: str, tmp_path: Path
) -> None:
    training = Training(tmp_path, cifar, "model=resnet20", *WORDS, *words, "hydra.run.dir=run")
    assert training.end() == 0
    assert training.err == ""
    resumed = Training(tmp_path, "resume=run", "trainer.max_epochs=2")
    assert resumed.end() == 0
    assert resumed.err == ""
    done = subprocess.run(
        [sys.executable, "-m", "src.evaluate", f"run={tmp_path / 'run'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
