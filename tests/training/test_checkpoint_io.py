"""Checkpoints: whole or refused, and written so that a whole one always exists."""

import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from src.training.checkpoint_io import AtomicCheckpointIO, CheckpointError

WHOLE: dict[str, Any] = {
    "state_dict": {"weight": torch.arange(4096.0)},
    "global_step": 3,
    "epoch": 1,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    AtomicCheckpointIO().save_checkpoint(WHOLE, tmp_path / "folder/last.ckpt")
    return tmp_path / "folder/last.ckpt"


def load(path: Path) -> dict[str, Any]:
    return AtomicCheckpointIO().load_checkpoint(path)


def test_what_was_written_is_read(path: Path) -> None:
    found = load(path)
    assert torch.equal(found["state_dict"]["weight"], torch.arange(4096.0))
    assert found["global_step"] == 3
    assert [item.name for item in path.parent.iterdir()] == ["last.ckpt"]
    assert torch.load(path, weights_only=True, mmap=True)["epoch"] == 1


def bits(content: bytes) -> list[int]:
    """Every bit of the end, which holds the digest, and some of the others."""
    end = 8 * (len(content) - 100)
    return [*random.Random(0).sample(range(end), 200), *range(end, end + 800)]


def test_a_single_bit_is_noticed(path: Path) -> None:
    content = path.read_bytes()
    assert torch.arange(100.0, 110).numpy().tobytes() in content, "weights lie there as they are"
    for bit in bits(content):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"last.ckpt: not a readable checkpoint \(.+\)"):
            load(path)


def test_a_file_of_an_earlier_version_is_known_by_its_checksums(path: Path) -> None:
    (path.parent / "manifest.json").write_text('{"last.ckpt": ["of another file"]}')
    torch.save(WHOLE, path)
    assert load(path)["global_step"] == 3
    content = path.read_bytes()
    place = content.find(torch.arange(100.0, 110).numpy().tobytes())
    path.write_bytes(content[:place] + b"\1" + content[place + 1 :])
    with pytest.raises(CheckpointError, match=r"last.ckpt: .* the checksum of .* is wrong"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04"])
def test_no_checkpoint_at_all(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"last.ckpt: not a readable checkpoint"):
        load(path)


@pytest.mark.parametrize(
    "content",
    [
        [1],
        {"state_dict": {}},
        WHOLE | {"state_dict": [torch.ones(1)]},
        WHOLE | {"state_dict": {1: torch.ones(1)}},
        WHOLE | {"state_dict": {"weight": "text"}},
    ],
)
def test_a_file_of_something_else(path: Path, content: Any) -> None:
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"last.ckpt: not a checkpoint of a run"):
        load(path)


class Unknown:
    """No tensor and no plain value."""


class Command:
    """Something that would run when it is read."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("executed",)


@pytest.mark.parametrize(
    ("inside", "named"),
    [(Command(), "posix.mkdir"), (Unknown(), "tests.training.test_checkpoint_io.Unknown")],
)
def test_what_is_refused_is_named_and_not_recommended(
    path: Path, inside: Any, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(WHOLE | {"state_dict": inside}, path)
    monkeypatch.chdir(path.parent)
    with pytest.raises(CheckpointError) as refusal:
        load(path)
    message = str(refusal.value)
    assert f"it asks for {named}, which is refused; nothing of it was executed" in message
    assert "weights_only" not in message
    assert not Path("executed").exists()


def test_a_missing_file_is_said_as_such(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.ckpt")
