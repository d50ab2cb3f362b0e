"""Finished runs, to do something with."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.cli import TINY

ROOT = Path(__file__).parents[2]
WORDS = ["model=resnet20", "data.batch_size=64", *TINY, "trainer.limit_test_batches=null"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, cifar: str) -> Path:
    """Two finished runs, ``one`` and ``two``, that differ in their seed."""
    place = tmp_path_factory.mktemp("runs")
    for name, seed in (("one", 0), ("two", 1)):
        words = [cifar, *WORDS, f"seed={seed}", f"hydra.run.dir={place / name}"]
        command = [sys.executable, "-m", "src.train", *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """A copy of them to write into."""
    return Path(shutil.copytree(trained, tmp_path / "runs"))
