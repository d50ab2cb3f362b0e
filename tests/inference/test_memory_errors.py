"""Running out of memory after training is one line that says what to lower."""

from pathlib import Path

import pytest
import torch
from torch import nn

from src.training.classifier import Normalize
from tests.fixtures.cli import Cli

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
    MemoryError("Unable to allocate 9 GiB for an array"),
]


@pytest.fixture(params=ERRORS, ids=lambda error: type(error).__name__)
def out_of_memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: nn.Module, images: torch.Tensor) -> torch.Tensor:
        raise request.param

    monkeypatch.setattr(Normalize, "forward", forward)


@pytest.mark.usefixtures("out_of_memory")
def test_evaluation_says_what_to_lower(evaluate_cli: Cli, runs: Path) -> None:
    done = evaluate_cli(f"run={runs / 'one'}")
    assert done.code == 1
    assert done.err == "error: out of memory with batch_size=512; try batch_size=256\n"


@pytest.mark.usefixtures("out_of_memory")
def test_prediction_says_what_to_lower(predict_cli: Cli, runs: Path, tmp_path: Path) -> None:
    picture = runs / "one/curves.png"
    done = predict_cli(f"run={runs / 'one'}", f"input={picture}", "batch_size=1")
    assert done.code == 1
    assert done.err == "error: out of memory\n"


@pytest.mark.usefixtures("out_of_memory")
def test_an_export_says_so(export_cli: Cli, runs: Path) -> None:
    done = export_cli(f"run={runs / 'one'}")
    assert done.code == 1
    assert done.err == "error: out of memory\n"
