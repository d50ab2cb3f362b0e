"""Small files are replaced as a whole or not at all."""

import json
from pathlib import Path

import pytest

from src.files import read_json, replacing, write_json


def test_a_file_is_replaced_when_the_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"state": "running"})
    write_json(path, {"state": "finished"})
    assert json.loads(path.read_text()) == {"state": "finished"}
    assert [item.name for item in tmp_path.iterdir()] == ["run.json"]


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as file:
            file.write("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert read_json(path) == {}
    for damage in ('{"state": ', "[1, 2]"):
        path.write_text(damage)
        with pytest.raises(ValueError, match=r"run\.json"):
            read_json(path)
