"""What a sweep says at its end, with names that Rich would take for markup."""

from pathlib import Path

import pytest

from src.runs.reader import read_runs
from src.sweep.output import show_sweep
from tests.fixtures.runs import write_run


def test_brackets_are_no_markup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    sweep = tmp_path / "s [best]"
    write_run(sweep / "0")
    write_run(sweep / "1", state="failed", reason="no class [red]x")
    write_run(sweep / "2 [bold]")
    show_sweep(sweep, read_runs(sweep))
    out = " ".join(capsys.readouterr().out.split())  # the title is wrapped
    for text in ("s [best]", "job 1: no class [red]x", "2 [bold]"):
        assert text in out
