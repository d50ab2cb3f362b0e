"""Commands started as files, a habit from templates."""

import runpy
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"
NAMES = ["train", "evaluate", "predict", "export", "report", "benchmark"]


@pytest.mark.parametrize("name", NAMES)
def test_a_command_started_as_a_file_says_how_it_is_started(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(SRC / name), run_name="__main__")
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"error: start it as python -m src.{name}\n"
