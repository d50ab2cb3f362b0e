"""The document of results tells what was evaluated after training, and how to do it again."""

from pathlib import Path

import pytest

from src.files import read_json
from tests.fixtures.change import change
from tests.fixtures.cli import Cli
from tests.fixtures.datasets import cifar10_python_files, write_files


@pytest.fixture
def evaluated(evaluate_cli: Cli, runs: Path, tmp_path: Path) -> Path:
    """Two runs of two seeds, the first evaluated twice: with views, and on twelve other images."""
    other = write_files(tmp_path / "others", cifar10_python_files(rows=12, seed=9))
    for words in (["tta=flip", f"output={runs}/one/evaluation"], [f"data.root={other}"]):
        done = evaluate_cli(f"run={runs / 'one'}", *words)
        assert done.code == 0, done.err
    return runs


def document(report_cli: Cli, runs: Path) -> str:
    done = report_cli(f"sweep={runs}", "format=results", "output=out")
    assert done.code == 0, done.err
    return Path("out/results.md").read_text()


def test_what_was_evaluated_has_a_row_and_a_command(report_cli: Cli, evaluated: Path) -> None:
    own, other = (
        read_json(file) for file in sorted((evaluated / "one").glob("evaluation*/metrics.json"))
    )
    text = document(report_cli, evaluated).partition("Evaluated after training")[2]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if "best.ckpt" in line
    ]
    assert [row[3] for row in rows] == ["40", "12"]
    for row, found in zip(rows, (own, other), strict=True):
        assert "seed=0" in row[0]
        assert row[4] == f"{100 * found['acc']:.2f}"
        low, high = found["acc_interval"]
        assert row[5] == f"{100 * low:.2f}–{100 * high:.2f}"
    assert [row[6] for row in rows] == [f"flip: {100 * own['tta']['acc']:.2f}", "–"]
    assert "python -m src.evaluate 'run=<its directory>' tta=flip\n" in text
    assert "python -m src.evaluate 'run=<its directory>' data.root=others\n" in text
    assert str(evaluated) not in text


@pytest.mark.parametrize(
    ("key", "value"),
    [("acc_interval", 3), ("acc", 10**400), ("acc", None), ("acc", float("nan")), ("images", True)],
)
def test_a_damaged_evaluation_is_named_and_the_others_stay(
    report_cli: Cli, evaluated: Path, key: str, value: object
) -> None:
    change(evaluated / "one/evaluation/metrics.json", key, value)
    text = document(report_cli, evaluated)
    assert "one/evaluation: " in text and "left out" in text
    assert text.count("best.ckpt") == 1


def test_a_command_that_cannot_be_read_costs_no_figures(report_cli: Cli, evaluated: Path) -> None:
    change(evaluated / "one/evaluation/metrics.json", "command", "python -m 'src.evaluate")
    text = document(report_cli, evaluated)
    assert text.count("best.ckpt") == 2 and "tta=flip" not in text


def test_without_evaluations_nothing_is_said_of_them(report_cli: Cli, runs: Path) -> None:
    assert "Evaluated" not in document(report_cli, runs)
