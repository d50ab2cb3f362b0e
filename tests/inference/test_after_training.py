"""What ``src.evaluate``, ``src.predict`` and ``src.export`` have in common."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.fixtures.cli import Cli
from tests.fixtures.datasets import encode, random_images, write_files

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["evaluate", "predict", "export"])
def module(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def command(request: pytest.FixtureRequest, module: str, tmp_path: Path) -> Cli:
    """One of the three; a prediction is of one image."""
    run: Cli = request.getfixturevalue(f"{module}_cli")
    if module != "predict":
        return run
    write_files(tmp_path, {"x.png": encode(random_images(1)[0])})
    return lambda *words: run(*words, "input=x.png")


def test_outputs_that_are_not_finite_are_a_failure(command: Cli, runs: Path) -> None:
    path = runs / "one/checkpoints/best.ckpt"
    content = torch.load(path, weights_only=True)
    content["state_dict"]["network.backbone.fc.bias"][3] = float("nan")
    torch.save(content, path)
    done = command(f"run={runs / 'one'}")
    assert done.code == 1
    assert "the network's outputs are not finite" in done.err
    assert done.err.count("\n") == 1, done.err
    written = [item for item in runs.glob("one/[ep]*/*") if item.is_file()]
    assert written == []


@pytest.mark.parametrize("value", ["checkpoint: best    # of the run: best | last", "output: null"])
def test_help_says_what_settings_take(command: Cli, value: str) -> None:
    assert value in command("--help").out


def test_sigterm_ends_it_with_its_own_code(
    command: Cli, module: str, monkeypatch: pytest.MonkeyPatch, runs: Path
) -> None:
    def stopped(*words: object) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("it goes on")

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(f"src.{module}.run.run", stopped)
    done = command(f"run={runs / 'one'}")
    assert (done.code, done.err) == (143, "interrupted by SIGTERM\n")
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_terminal_of_few_letters_is_no_error(runs: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "src.evaluate", f"run={runs / 'one'}"],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"95% interval" in done.stdout
