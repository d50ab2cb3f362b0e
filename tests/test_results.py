"""RESULTS.md, the records it is made from, the configs and the README agree with each other."""

import re
import shlex
from pathlib import Path

import pytest

from src.config.compose import plan
from tests.fixtures.cli import Cli

ROOT = Path(__file__).resolve().parents[1]
RESULTS = (ROOT / "RESULTS.md").read_text()
README = (ROOT / "README.md").read_text()
COMMANDS = RESULTS.replace("\\\n", "")
TRAIN = re.findall(r"^python -m src\.train (.*)$", COMMANDS, flags=re.M)
EVALUATE = re.findall(r"^python -m src\.evaluate (.*)$", COMMANDS, flags=re.M)


def test_it_is_what_its_command_makes_of_the_records(
    report_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    (words,) = re.findall(r"`python -m src\.report (.*?)`", RESULTS)
    done = report_cli(*shlex.split(words), f"output={tmp_path}")
    assert done.code == 0, done.err
    assert (tmp_path / "results.md").read_text() == RESULTS


@pytest.mark.parametrize("words", TRAIN)
def test_its_commands_compose(words: str) -> None:
    several = words.startswith("-m ")
    assert plan("train", shlex.split(words.removeprefix("-m ")), multirun=several).jobs


@pytest.mark.parametrize("words", EVALUATE)
def test_its_evaluations_are_of_options_that_there_are(evaluate_cli: Cli, words: str) -> None:
    done = evaluate_cli(*shlex.split(words))
    assert done.code == 2
    assert "<its directory>: no such" in done.err, done.err


def test_the_accuracies_of_the_readme_stand_in_it() -> None:
    """Each is in the row of its recipe in the overview."""
    overview = RESULTS.partition("###")[0].replace("\\_", "_").splitlines()
    told = re.findall(r"^\| `(\w+)`[^|]*\|(.*)\|$", README, flags=re.M)
    pairs = [
        (recipe, accuracy)
        for recipe, cells in told
        for accuracy in re.findall(r"(\d\d\.\d\d)%", cells.rpartition("|")[2])
    ]
    assert pairs
    for recipe, accuracy in pairs:
        (row,) = (line for line in overview if line.startswith(f"| {recipe} "))
        assert accuracy in row.rpartition(" | ")[2], recipe
