"""A run that was interrupted and resumed equals one that was not, to the last bit."""

import signal
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from src.runs.directory import RunDirectory
from src.training.classifier import ImageClassifier
from tests.fixtures.cli import Cli
from tests.fixtures.states import PARTS, digests
from tests.reliability.settings import EPOCHS, SETTINGS, STEPS, TRUST
from tests.train.test_resume import interrupt_at

pytestmark = pytest.mark.reliability

# Shares for workers; interleaved, so that each meets every place within an epoch's neighbors.
SHARES = 8


@pytest.fixture
def trained_on(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The indices of the images of each step that has been trained in this process."""
    steps: list[list[int]] = []
    plain = ImageClassifier.training_step

    def step(self: ImageClassifier, batch: Any, batch_idx: int) -> Tensor:
        steps.append(batch.indices.tolist())
        return plain(self, batch, batch_idx)

    monkeypatch.setattr(ImageClassifier, "training_step", step)
    return steps


@pytest.mark.parametrize("share", range(SHARES))
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    cli: Cli,
    images: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trained_on: list[list[int]],
    share: int,
) -> None:
    whole = RunDirectory(tmp_path / "whole")
    done = cli(images, *SETTINGS, f"hydra.run.dir={whole.path}")
    assert done.code == 0, done.err
    expected, order = digests(whole.last), trained_on[:]
    assert expected.keys() == PARTS.keys()
    assert len(order) == EPOCHS * STEPS
    assert {len(step) for step in order} == {32}
    for boundary in range(share, EPOCHS * STEPS, SHARES):
        trained_on.clear()
        part = RunDirectory(tmp_path / f"part{boundary}")
        with monkeypatch.context() as patch:
            interrupt_at(patch, boundary, (signal.SIGINT, signal.SIGTERM)[boundary % 2])
            done = cli(images, *SETTINGS, f"hydra.run.dir={part.path}")
        assert done.code == (130, 143)[boundary % 2], done.err
        assert trained_on == order[: boundary + 1], "the step begun is the last"
        done = cli(f"resume={part.path}", TRUST)
        assert done.code == 0, done.err
        assert trained_on == order, "no image twice, none left out"
        assert digests(part.last) == expected, f"interrupted in step {boundary + 1}"


def test_another_seed_differs_in_all_that_is_compared(
    cli: Cli, images: str, tmp_path: Path, trained_on: list[list[int]]
) -> None:
    found, orders = [], []
    for seed in (0, 1):
        trained_on.clear()
        run = RunDirectory(tmp_path / f"{seed}")
        assert cli(images, *SETTINGS, f"seed={seed}", f"hydra.run.dir={run.path}").code == 0
        found.append(digests(run.last))
        orders.append(trained_on[:])
    assert orders[0] != orders[1]
    # The schedule and the number of averaged steps have nothing random in them.
    for part in ("weights", "averaged weights", "optimizer"):
        assert found[0][part] != found[1][part], part
