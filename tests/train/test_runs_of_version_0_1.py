"""A run made by version 0.1 is resumed, evaluated, exported and reported on."""

import shutil
from pathlib import Path

import pytest

from src.files import read_json
from tests.fixtures.cli import Cli

RUN = Path(__file__).parents[1] / "fixtures/run_of_version_0_1"
TRUST = "trust=[tests.fixtures.networks.Pixels]"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of a run of two epochs, 180 images each, to write into."""
    return Path(shutil.copytree(RUN, tmp_path / "run"))


def test_it_goes_on_with_all_of_its_state(cli: Cli, cifar: str, run: Path) -> None:
    before = read_json(run / "metrics.json")
    done = cli(f"resume={run}", "trainer.max_epochs=3", cifar, TRUST)
    assert done.code == 0, done.err
    after = read_json(run / "metrics.json")
    assert (after["epochs"], after["steps"], after["images"]) == (3, 9, 540)
    assert after["train_seconds"] > before["train_seconds"]
    epochs = [line.partition(",")[0] for line in (run / "metrics.csv").read_text().splitlines()]
    assert len(epochs) > len((RUN / "metrics.csv").read_text().splitlines())


def test_its_evaluation_finds_the_accuracy_that_it_reported(
    evaluate_cli: Cli, cifar: str, run: Path, tmp_path: Path
) -> None:
    done = evaluate_cli(f"run={run}", cifar, TRUST, "output=out")
    assert done.code == 0, done.err
    reported = read_json(run / "metrics.json")["test/acc"]
    assert read_json(tmp_path / "out/metrics.json")["acc"] == pytest.approx(reported)


def test_it_is_exported_and_reported_on(export_cli: Cli, report_cli: Cli, run: Path) -> None:
    done = export_cli(f"run={run}", TRUST)
    assert done.code == 0, done.err
    done = report_cli(f"sweep={run}", "output=report")
    assert done.code == 0, done.err
    assert "15.00" in done.out
