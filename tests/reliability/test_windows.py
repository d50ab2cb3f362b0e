"""What Windows lacks is not needed: every command runs with those modules and functions gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.processes import ROOT

pytestmark = pytest.mark.reliability

WITHOUT = ROOT / "tests/fixtures/windows"
RUN = ["model=resnet20", "data=shapes", "trainer=smoke", "callbacks.progress_bar=false"]


def test_every_command_runs_without_what_windows_lacks(tmp_path: Path) -> None:
    paths = os.pathsep.join([str(WITHOUT), str(ROOT)])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}

    def run(command: str, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", f"src.{command}", *words],
            cwd=tmp_path,
            env=environment | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("train", *RUN, "hydra.run.dir=one")
    run("train", "resume=one", "trainer.max_epochs=2")
    run("train", "-m", *RUN, "seed=0,1", "hydra.sweep.dir=sweep")
    run("evaluate", "run=one")
    run("predict", "run=one", "input=one/curves.png")
    run("export", "run=one", "format=safetensors")
    run("report", "sweep=sweep")
