"""A run of a CUDA GPU is evaluated, exported and measured there, and on the CPU."""

import json
import os
from pathlib import Path

import pytest

from src.runs.directory import RunDirectory
from tests.fixtures.cli import Cli
from tests.fixtures.processes import ROOT
from tests.gpu.test_training import train

pytestmark = pytest.mark.gpu


@pytest.fixture
def finished(cli: Cli, tmp_path: Path) -> RunDirectory:
    return train(cli, tmp_path / "run")


@pytest.mark.parametrize("accelerator", ["gpu", "cpu"])
@pytest.mark.parametrize("precision", ["run", "32-true"])
def test_an_evaluation_finds_the_run_s_figures(
    evaluate_cli: Cli, finished: RunDirectory, tmp_path: Path, accelerator: str, precision: str
) -> None:
    where = tmp_path / "evaluation"
    words = [f"run={finished.path}", f"accelerator={accelerator}", f"precision={precision}"]
    done = evaluate_cli(*words, f"output={where}")
    assert done.code == 0, done.err
    expected = json.loads(finished.metrics.read_text())
    found = json.loads((where / "metrics.json").read_text())
    assert found["acc"] == pytest.approx(expected["test/acc"], abs=0.01)
    assert found["loss"] == pytest.approx(expected["test/loss"], rel=0.02)


def test_an_export_agrees_with_the_network(export_cli: Cli, finished: RunDirectory) -> None:
    done = export_cli(f"run={finished.path}")
    assert done.code == 0, done.err


def test_pictures_are_predicted(predict_cli: Cli, finished: RunDirectory) -> None:
    done = predict_cli(f"run={finished.path}", f"input={finished.path / 'curves.png'}")
    assert done.code == 0, done.err
    assert "curves.png" in done.out


@pytest.mark.parametrize("mode", ["training", "operations", "input"])
def test_the_benchmark_measures(
    benchmark_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    words = [f"benchmark.mode={mode}", "benchmark.rounds=1", "benchmark.seconds=0.2"]
    done = benchmark_cli(
        "data=shapes", "model=resnet20", "trainer.accelerator=gpu", *words,
        f"hydra.run.dir={tmp_path / 'benchmark'}",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "benchmark" / "benchmark.json").read_text())
