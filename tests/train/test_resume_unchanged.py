"""A resume that cannot start leaves the run as it was, but for lines in its log."""

from collections.abc import Callable
from pathlib import Path

import pytest

from src.runs.directory import RunDirectory
from src.runs.record import read_record
from src.train import run as train
from tests.fixtures import networks
from tests.fixtures.cli import TINY, Cli

WORDS = ["model=resnet20", "augment=none", "logger=default", *TINY]


def snapshot(run: Path) -> dict[str, bytes]:
    """Every file of a run by name, without its log."""
    files = [path for path in run.rglob("*") if path.is_file() and path.name != "train.log"]
    return {str(path.relative_to(run)): path.read_bytes() for path in files}


def failing(error: BaseException) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


CAUSES = {
    "no such device": (["trainer.accelerator=gpu"], None, None),
    "data that moved": (["data.root=gone"], None, None),
    "Ctrl-C during set-up": ([], "build_classifier", KeyboardInterrupt()),
    "out of memory while building": ([], "build_trainer", MemoryError()),
    "Ctrl-C just before training": ([], "init_process_group", KeyboardInterrupt()),
    "a full disk": ([], "check_disk_space", OSError(28, "No space left on device")),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_resume_that_cannot_start_changes_nothing(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    words, name, error = CAUSES[cause]
    run = tmp_path / "r"
    assert cli(cifar, *WORDS, f"hydra.run.dir={run}").code == 0
    before = snapshot(run)
    if error is not None:
        monkeypatch.setattr(train, str(name), failing(error))
    assert cli(f"resume={run}", "trainer.max_epochs=2", *words).code != 0
    assert snapshot(run) == before


def test_a_resume_without_the_class_of_its_network_changes_nothing(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, run = "tests.fixtures.networks.Pixels", tmp_path / "r"
    words = ["model=custom", f"model._target_={target}", "+model.width=4", "logger=csv", *TINY]
    assert cli(cifar, *words, f"hydra.run.dir={run}").code == 0
    before = snapshot(run)
    monkeypatch.delattr(networks, "Pixels")
    done = cli(f"resume={run}", "trainer.max_epochs=2", f"trust=[{target}]")
    assert done.code == 2 and "Pixels" in done.err
    assert snapshot(run) == before


def test_ranks_that_cannot_resume_change_nothing(cli: Cli, cifar: str, tmp_path: Path) -> None:
    run = tmp_path / "r"
    assert cli(cifar, *WORDS, f"hydra.run.dir={run}").code == 0
    before = snapshot(run)
    words = ["trainer.max_epochs=2", "trainer.devices=2", "data.root=gone", "data.download=false"]
    assert cli(f"resume={run}", *words).code == 2
    assert snapshot(run) == before


def test_a_resume_that_starts_writes_its_new_settings(cli: Cli, cifar: str, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "r")
    assert cli(cifar, *WORDS, f"hydra.run.dir={run.path}").code == 0
    done = cli(f"resume={run.path}", "trainer.max_epochs=2")
    assert done.code == 0, done.err
    assert "max_epochs: 2" in run.config.read_text()
    record = read_record(run)
    assert record["state"] == "finished"
    assert len(record["resumed"]) == 1 and record["compute"]
