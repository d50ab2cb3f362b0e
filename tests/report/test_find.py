"""Runs are found at and below what was named, each once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from src.report.load import find_runs
from tests.fixtures.runs import write_run, write_sweep


def test_jobs_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write_sweep(tmp_path, {"optimizer.lr=0.1": [0.5] * 11})
    (tmp_path / "report").mkdir()
    assert list(find_runs([tmp_path])) == [str(number) for number in range(11)]


def test_a_run_a_sweep_and_a_folder_of_both(tmp_path: Path) -> None:
    run = write_run(tmp_path / "outputs/train/monday")
    (run / "evaluation").mkdir()
    sweep = write_sweep(tmp_path / "outputs/sweep/tuesday", {"a=1": [0.5, 0.6]})
    assert list(find_runs([run]).values()) == [run]
    assert list(find_runs([sweep])) == ["0", "1"]
    found = find_runs([tmp_path / "outputs"])
    assert list(found) == ["sweep/tuesday/0", "sweep/tuesday/1", "train/monday"]


def test_what_is_named_twice_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sweep = write_sweep(tmp_path / "sweep", {"a=1": [0.5, 0.6]})
    assert len(find_runs([sweep, Path("sweep"), sweep / "1"])) == 2


def test_a_job_that_left_nothing_behind_is_still_a_job(tmp_path: Path) -> None:
    write_sweep(tmp_path, {"a=1": [0.5]})
    (tmp_path / "1").mkdir()
    assert list(find_runs([tmp_path])) == ["0", "1"]


def test_a_folder_that_must_not_be_listed_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "open")
    (tmp_path / "shut").mkdir()
    listed = Path.iterdir

    def listing(folder: Path) -> Iterator[Path]:
        if folder.name == "shut":
            raise PermissionError(folder)
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", listing)
    assert list(find_runs([tmp_path])) == ["open", "shut"]
