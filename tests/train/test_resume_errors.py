"""What a run cannot be continued from is said in one line, by the name of the file."""

from pathlib import Path

import pytest
import torch

from src.runs.directory import RunDirectory
from tests.fixtures.cli import TINY, Cli
from tests.fixtures.datasets import CIFAR10_CLASSES, class_folder_files, write_files


def forget_others(run: RunDirectory) -> None:
    """Leave ``last.ckpt`` alone."""
    for name in ("best.ckpt", "previous.ckpt"):
        (run.checkpoints / name).unlink(missing_ok=True)


def test_what_cannot_be_resumed_is_said_in_one_line(cli: Cli, cifar: str, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    (tmp_path / "empty").mkdir()
    for words, message in (
        (["resume=nowhere"], "resume=nowhere: no such directory"),
        ([f"resume={tmp_path / 'empty'}"], "not a run directory"),
    ):
        done = cli(*words)
        assert (done.code, len(done.err.splitlines())) == (2, 1)
        assert message in done.err
    assert cli(cifar, "model=resnet20", *TINY, f"hydra.run.dir={run.path}").code == 0
    before = run.config.read_text()
    for words, message in (
        (["model=resnet18"], "model=resnet18: a resumed run keeps its settings"),
        (["model.shortcut=C"], "a resumed run keeps its settings"),
        (["data.batch_size=16"], "a resumed run keeps its settings"),
        (["trainer.max_epoch=3"], "did you mean trainer.max_epochs?"),
        (["trainer.max_epochs=0"], "should be greater than or equal to 1"),
    ):
        done = cli(f"resume={run.path}", *words)
        assert done.code == 2
        assert message in done.err
    assert run.config.read_text() == before
    more = "trainer.max_epochs=2"
    other = write_files(tmp_path / "other", class_folder_files(CIFAR10_CLASSES, train=20))
    done = cli(f"resume={run.path}", more, f"data.root={other}")
    assert "the training images are not those the run began with" in done.err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("checkpoints/last.ckpt", b"PK\x03\x04", "last.ckpt: not a readable checkpoint"),
        ("checkpoints/last.ckpt", None, "nothing to continue from"),
        (".hydra/config.yaml", b"seed: [", "config.yaml: cannot be read"),
        ("run.json", b"{", "run.json: not readable as JSON"),
        ("run.json", b"[" * 100_000, "run.json: not readable as JSON"),
        ("run.json", b'{"data": []}', "run.json: data is not a dict"),
        ("run.json", b'{"resumed": 5}', "run.json: resumed is not a list"),
        (
            "metrics.json",
            b'{"epochs": "x"}',
            "metrics.json: epochs and steps must be whole numbers",
        ),
        (".hydra/config.yaml", b"a: &a [1]\nb: [*a, *a]", "it has YAML aliases"),
        (".hydra/config.yaml", b"[" * 20_000, "config.yaml: cannot be read"),
    ],
)
def test_a_damaged_run_is_refused_by_the_name_of_the_file(
    cli: Cli, cifar: str, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    run = tmp_path / "run"
    assert cli(cifar, "model=resnet20", *TINY, f"hydra.run.dir={run}").code == 0
    forget_others(RunDirectory(run))
    if content is None:
        (run / name).unlink()
    else:
        (run / name).write_bytes(content)
    done = cli(f"resume={run}", "trainer.max_epochs=2")
    assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
    assert message in done.err


@pytest.mark.parametrize("name", ["train_metrics", "loops", "optimizer_states"])
def test_a_checkpoint_without_all_of_its_state_is_not_gone_on_from(
    cli: Cli, cifar: str, tmp_path: Path, name: str
) -> None:
    run = RunDirectory(tmp_path / "run")
    assert cli(cifar, "model=resnet20", *TINY, f"hydra.run.dir={run.path}").code == 0
    forget_others(run)
    state = torch.load(run.last, weights_only=True)
    torch.save({key: value for key, value in state.items() if key != name}, run.last)
    done = cli(f"resume={run.path}", "trainer.max_epochs=2")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert f"last.ckpt: not a state to go on from ({name} is missing)" in done.err


def test_a_checkpoint_of_something_else_is_refused(cli: Cli, cifar: str, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    assert cli(cifar, "model=resnet20", *TINY, f"hydra.run.dir={run.path}").code == 0
    torch.save({"a": 1}, run.last)
    forget_others(run)
    done = cli(f"resume={run.path}", "trainer.max_epochs=2")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "last.ckpt: not a checkpoint of a run" in done.err
