"""A valid checkpoint always exists once one was written."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.training.checkpoint_io import AtomicCheckpointIO
from tests.fixtures.disks import as_nobody, small_disk
from tests.fixtures.train import ROOT
from tests.fixtures.writers import checkpoint, version_of

pytestmark = pytest.mark.reliability

KILLS = 200


def save(version: int, path: Path) -> None:
    AtomicCheckpointIO().save_checkpoint(checkpoint(version), path)


def test_a_whole_checkpoint_is_there_whenever_its_writer_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fixtures.writers", str(tmp_path), str(KILLS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["in_writing"] == KILLS
    # Before the renaming and after it: both have been hit.
    assert 0 < found["old_file"] < KILLS
    assert found["left_behind"] <= 2, "what is left of a killed writer is removed by the next"
    save(1, tmp_path / "last.ckpt")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["last.ckpt", "previous.ckpt"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    with small_disk(tmp_path, megabytes=2) as disk:
        path = disk / "last.ckpt"
        save(1, path)
        save(2, path)
        save(3, path)
        with pytest.raises(OSError, match="No space left"):
            AtomicCheckpointIO().save_checkpoint(
                checkpoint(4) | {"more": list(map(str, range(100_000)))}, path
            )
        assert (version_of(path), version_of(disk / "previous.ckpt")) == (3, 2)
        names = sorted(item.name for item in disk.iterdir())
        assert names == ["last.ckpt", "previous.ckpt"]
        (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free))
        with pytest.raises(OSError, match="No space left"):
            save(4, path)
        assert version_of(path) == 3
        (disk / "filler").unlink()
        save(4, path)
        assert (version_of(path), version_of(disk / "previous.ckpt")) == (4, 3)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may look into, as they may not in pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_folder_without_the_right_to_write_leaves_the_old_file(open_folder: Path) -> None:
    path = open_folder / "last.ckpt"
    save(1, path)
    path.chmod(0o644)
    assert as_nobody(lambda: save(2, path)) == "PermissionError"
    assert version_of(path) == 1
    assert sorted(item.name for item in open_folder.iterdir()) == ["last.ckpt"]


def test_the_system_s_temporary_directory_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path, megabytes=1) as elsewhere:
        (elsewhere / "filler").write_bytes(bytes(shutil.disk_usage(elsewhere).free))
        monkeypatch.setenv("TMPDIR", str(elsewhere))
        monkeypatch.setattr(tempfile, "tempdir", None)
        path = tmp_path / "here/last.ckpt"
        save(1, path)
        save(2, path)
        assert path.stat().st_dev != elsewhere.stat().st_dev
        assert version_of(path) == 2


def test_without_hard_links_the_previous_file_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    save(1, tmp_path / "last.ckpt")
    save(2, tmp_path / "last.ckpt")
    assert version_of(tmp_path / "previous.ckpt") == 1


def test_what_is_renamed_is_on_the_disk_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync = os.fsync

    def sync(handle: int) -> None:
        events.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name}")
        fsync(handle)

    plain = Path.replace

    def rename(self: Path, target: Path) -> Path:
        events.append(f"{self.name} becomes {Path(target).name}")
        return plain(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", rename)
    save(1, tmp_path / "last.ckpt")
    place = next(at for at, event in enumerate(events) if event.endswith("becomes last.ckpt"))
    written = events[place].partition(" ")[0]
    assert events[place - 1] == f"sync {written}"
    assert events[place + 1] == f"sync {tmp_path.name}", "and so is the directory"
