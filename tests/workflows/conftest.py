"""Finished runs, to do something with."""

import shutil
from pathlib import Path

import pytest

from tests.fixtures.cli import TINY
from tests.fixtures.train import train

WORDS = ["model=resnet20", "data.batch_size=64", *TINY, "trainer.limit_test_batches=null"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, cifar: str) -> Path:
    """Two finished runs, ``one`` and ``two``, that differ in their seed."""
    place = tmp_path_factory.mktemp("runs")
    for name, seed in (("one", 0), ("two", 1)):
        train(place / name, cifar, *WORDS, f"seed={seed}")
    return place


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """A copy of them to write into."""
    return Path(shutil.copytree(trained, tmp_path / "runs"))
