"""A damaged ``last.ckpt`` falls back to the one before it, and says so."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from src.runs.directory import RunDirectory
from tests.fixtures.cli import TINY, Cli
from tests.fixtures.disks import small_disk
from tests.fixtures.train import train

pytestmark = pytest.mark.reliability

WORDS = [
    *TINY,
    "model=custom",
    "model._target_=tests.fixtures.poison.Poisoned",
    "+model.where=nowhere",
    "+model.step=0",
    "data.batch_size=64",
    "trainer.max_epochs=3",
    "scheduler=constant",  # one that does not depend on how long the run is
]
MORE = ["trainer.max_epochs=4", "trust=[tests.fixtures.poison.Poisoned]"]

Damage = Callable[[bytes], bytes]


def cut(share: float) -> Damage:
    return lambda content: content[: int(share * len(content))]


def flip(share: float) -> Damage:
    """Another bit than was written, at this share of the file."""

    def change(content: bytes) -> bytes:
        place = min(int(share * len(content)), len(content) - 1)
        return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]

    return change


DAMAGES: dict[str, Damage] = {
    "empty": lambda content: b"",
    "a tenth": cut(0.1),
    "half": cut(0.5),
    "all but its end": cut(0.999),
    "text": lambda content: b"hello",
    "zeros": lambda content: bytes(len(content)),
    "flipped at its start": flip(0),
    "flipped in the middle": flip(0.5),
    "flipped near its end": flip(0.9),
    "flipped at its end": flip(1),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, cifar: str) -> Path:
    """A run of three epochs of two steps."""
    path = tmp_path_factory.mktemp("runs") / "run"
    train(path, cifar, *WORDS)
    return path


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> RunDirectory:
    return RunDirectory(Path(shutil.copytree(finished, tmp_path / "run")))


@pytest.fixture(scope="module")
def undamaged(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The weights after a fourth epoch."""
    path = tmp_path_factory.mktemp("runs") / "undamaged"
    shutil.copytree(finished, path)
    train(path, f"resume={path}", *MORE)
    return weights(RunDirectory(path))


def weights(run: RunDirectory) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run.last, weights_only=True)["state_dict"]
    return state


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_last_state_falls_back_to_the_one_before(
    cli: Cli, run: RunDirectory, undamaged: dict[str, torch.Tensor], damage: str
) -> None:
    assert len(DAMAGES) == 10
    content = DAMAGES[damage](run.last.read_bytes())
    run.last.write_bytes(content)
    done = cli(f"resume={run.path}", *MORE)
    assert done.code == 0, done.err
    (line,) = [line for line in done.out.splitlines() if "going on from" in line]
    assert f"{run.last}: not " in line
    assert line.endswith("going on from previous.ckpt, of step 4")
    assert (run.checkpoints / "last.ckpt.damaged").read_bytes() == content
    assert json.loads(run.metrics.read_text())["epochs"] == 4
    after = weights(run)
    assert all(torch.equal(after[name], value) for name, value in undamaged.items())


def test_a_state_that_is_gone_falls_back_too(cli: Cli, run: RunDirectory) -> None:
    run.last.unlink()
    done = cli(f"resume={run.path}", *MORE)
    assert done.code == 0, done.err
    assert "last.ckpt is gone; going on from previous.ckpt, of step 4" in done.out


def test_what_was_set_aside_before_is_not_lost(cli: Cli, run: RunDirectory) -> None:
    (run.checkpoints / "last.ckpt.damaged").write_bytes(b"before")
    run.last.unlink()
    run.last.mkdir()
    (run.checkpoints / "gone.ckpt").symlink_to("nowhere")
    done = cli(f"resume={run.path}", *MORE)
    assert done.code == 0, done.err
    assert "last.ckpt: not a readable checkpoint" in done.out
    assert (run.checkpoints / "last.ckpt.damaged").read_bytes() == b"before"
    assert (run.checkpoints / "last.ckpt.damaged.2").is_dir()


def test_the_best_state_is_the_last_resort(cli: Cli, run: RunDirectory) -> None:
    for path in (run.last, run.previous):
        path.write_bytes(b"")
    step = torch.load(run.best, weights_only=True)["global_step"]
    done = cli(f"resume={run.path}", *MORE)
    assert done.code == 0, done.err
    assert f"going on from best.ckpt, of step {step}" in done.out


def test_where_none_is_left_all_are_named(cli: Cli, run: RunDirectory) -> None:
    for path in (run.last, run.previous, run.best):
        path.write_bytes(b"")
    done = cli(f"resume={run.path}", *MORE)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    for name in ("last.ckpt", "previous.ckpt", "best.ckpt"):
        assert f"{name}: not a readable checkpoint (it is empty)" in done.err


def test_a_disk_that_fills_up_ends_the_run_with_one_line(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    with small_disk(tmp_path, megabytes=2) as disk:
        words = [*WORDS, "model._target_=tests.fixtures.poison.Filling", "~model.where"]
        words += [f"+model.path={disk / 'filler'}", "model.step=5"]
        done = cli(cifar, *words, f"hydra.run.dir={disk / 'run'}")
        assert done.code == 1
        (line,) = done.err.splitlines()
        assert line.startswith("error: ") and "No space left on device" in line
        (disk / "filler").unlink()
        done = cli(f"resume={disk / 'run'}", "trust=[tests.fixtures.poison.Filling]")
        assert done.code == 0, done.err
        assert json.loads((disk / "run/run.json").read_text())["state"] == "finished"


def test_a_disk_without_room_for_checkpoints_is_found_before_training(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    with small_disk(tmp_path, megabytes=1) as disk:
        words = [cifar, "model=resnet20", "data.batch_size=64", *TINY]
        done = cli(*words, f"hydra.run.dir={disk / 'run'}")
        assert (done.code, len(done.err.splitlines())) == (2, 1)
        assert "the checkpoints need about 8.6 MB and" in done.err
        assert not (disk / "run/checkpoints").exists()
        none = ["callbacks.checkpoint=false", "test_checkpoint=last"]
        done = cli(*words, f"hydra.run.dir={disk / 'other'}", *none)
        assert done.code == 0, done.err
