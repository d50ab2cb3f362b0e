"""The ranks of a run end together, and not after the command that started them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from src.distributed import launcher
from src.distributed.launcher import launch_ranks
from src.errors import RunFailed

ROOT = Path(__file__).parents[2]
MODULE = "tests.fixtures.rank"


def until(condition: Callable[[], bool]) -> bool:
    """Whether something happens within half a minute."""
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize(("does", "code"), [("0,0", 0), ("2,1", 2), ("0,1", 1), ("3,wait", 3)])
def test_the_exit_code_is_the_first_ranks_or_that_of_the_one_that_failed(
    does: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK_DOES", does)
    monkeypatch.setattr(launcher, "_PATIENCE", 0.2)
    monkeypatch.setattr(sys, "argv", ["train"])
    assert launch_ranks(MODULE, tmp_path, 2) == code


def test_a_rank_that_is_killed_ends_the_run_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK_DOES", "wait,die")
    monkeypatch.setattr(launcher, "_PATIENCE", 0.2)
    monkeypatch.setattr(sys, "argv", ["train"])
    (tmp_path / "run.json").write_text('{"state": "running", "seed": 1}')
    with pytest.raises(RunFailed, match="rank 1 was killed by SIGKILL"):
        launch_ranks(MODULE, tmp_path, 2)
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["state"], record["seed"]) == ("failed", 1)
    assert record["reason"] == "rank 1 was killed by SIGKILL (out of memory?)"


def test_ranks_do_not_outlive_the_command(tmp_path: Path) -> None:
    code = f"from pathlib import Path; from {launch_ranks.__module__} import launch_ranks as run; "
    code += f"run({MODULE!r}, Path({str(tmp_path)!r}), 2)"
    environment = os.environ | {"RANK_DOES": "wait,wait"}
    command = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment)
    files = [tmp_path / f"rank{number}.pid" for number in range(2)]
    assert until(lambda: all(file.exists() and file.read_text() for file in files))
    command.kill()
    command.wait()
    ranks = [Path("/proc") / file.read_text() for file in files]
    if not Path("/proc/self").exists():
        pytest.skip("processes are looked up in /proc")
    assert until(lambda: not any(rank.exists() and "Z" not in _state(rank) for rank in ranks))


def _state(process: Path) -> str:
    """Its state in the words of ``/proc``; Z: ended, but nobody has asked how."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
