"""Files that somebody else has made: nothing in them is executed, nothing is written outside."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from src.config.validate import CONF
from src.runs.directory import RunDirectory
from tests.fixtures.cli import TINY, Cli
from tests.fixtures.datasets import cifar10_python_files, write_archive, write_files
from tests.fixtures.hostile_archives import ARCHIVES
from tests.fixtures.hostile_pickles import CHECKPOINTS, PICKLES
from tests.fixtures.refusals import bounded, check_refused, files_below
from tests.fixtures.train import train

pytestmark = pytest.mark.reliability

WORDS = ["model=resnet20", "data.batch_size=8", *TINY]


def test_there_are_as_many_as_promised() -> None:
    assert len(PICKLES) >= 10 and len(CHECKPOINTS) >= 5
    assert len(CONFIGURATIONS) >= 3 and len(ARCHIVES) >= 8


# ---- CIFAR batches ----


@pytest.mark.parametrize("name", PICKLES)
def test_batches_run_nothing(name: str, cli: Cli, tmp_path: Path) -> None:
    content, reason = PICKLES[name]
    root = write_files(tmp_path / "data", cifar10_python_files() | {"data_batch_2": content})
    before = files_below(tmp_path)
    with bounded():
        done = cli(f"data.root={root}", *WORDS)
    check_refused(done, "data_batch_2", reason)
    assert files_below(tmp_path) == before


def test_batches_in_an_archive_run_nothing_either(cli: Cli, tmp_path: Path) -> None:
    content, reason = PICKLES["os.system by GLOBAL"]
    files = cifar10_python_files() | {"data_batch_2": content}
    root = write_archive(tmp_path / "x.tar.gz", files, wrapper="cifar-10-batches-py/")
    check_refused(cli(f"data.root={root}", *WORDS), "x.tar.gz: data_batch_2", reason)
    assert not (tmp_path / "executed").exists()


def test_class_names_run_nothing_either(cli: Cli, tmp_path: Path) -> None:
    content, reason = PICKLES["os.system by GLOBAL"]
    root = write_files(tmp_path / "data", cifar10_python_files() | {"batches.meta": content})
    check_refused(cli(f"data.root={root}", *WORDS), "batches.meta", reason)
    assert not (tmp_path / "executed").exists()


# ---- archives ----


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_write_and_take_nothing(name: str, cli: Cli, tmp_path: Path) -> None:
    ending, write, named = ARCHIVES[name]
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret").write_text("secret")
    archive = write(tmp_path / "inner" / f"x.{ending}")
    before = files_below(tmp_path)
    with bounded():
        done = cli("data=folder", f"data.root={archive}", *WORDS)
    check_refused(done, f"x.{ending}", *named)
    assert files_below(tmp_path) == before


# ---- runs ----


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory, cifar: str) -> Path:
    """A run that ended in the middle, as it says."""
    place = tmp_path_factory.mktemp("runs") / "one"
    train(place, cifar, *WORDS, "trainer.max_epochs=2")
    RunDirectory(place).metrics.unlink()
    record = RunDirectory(place).record
    record.write_text(record.read_text().replace('"finished"', '"interrupted"', 1))
    return place


@pytest.fixture
def run(interrupted: Path, tmp_path: Path) -> Path:
    """A copy of it to write into."""
    import shutil

    return Path(shutil.copytree(interrupted, tmp_path / "run"))


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_checkpoints_run_nothing(name: str, evaluate_cli: Cli, cli: Cli, run: Path) -> None:
    directory = RunDirectory(run)
    for path in (directory.best, directory.last, directory.previous):
        path.write_bytes(CHECKPOINTS[name]())
    check_refused(evaluate_cli(f"run={run}"), "best.ckpt: not a readable checkpoint")
    done = cli(f"resume={run}", "trainer.max_epochs=3")
    check_refused(done, "last.ckpt: not a readable checkpoint")
    assert not (run.parent / "executed").exists()


def _model(value: object) -> Callable[[str], str]:
    def change(text: str) -> str:
        config = yaml.safe_load(text)
        config["model"] = value
        return yaml.safe_dump(config)

    return change


_RESNET = yaml.safe_load((CONF / "model/resnet18.yaml").read_text())
_LINEAR = {"_target_": "torch.nn.Linear", "in_features": 1}
_MKDIR = {"_target_": "os.mkdir", "_args_": ["executed"]}
CONFIGURATIONS: dict[str, tuple[Callable[[str], str], str]] = {
    "a target": (_model(_MKDIR), "os.mkdir is not on the list of classes"),
    "a target inside of another": (_model(_LINEAR | {"out_features": _MKDIR}), "os.mkdir"),
    "a partial": (_model(_MKDIR | {"_partial_": True}), "os.mkdir is not on the list of classes"),
    "the environment": (
        _model(_RESNET | {"name": "${oc.env:SECRET}"}),
        "model.name=s3cr3t: no such network",
    ),
    "a resolver of its own": (
        _model(_LINEAR | {"out_features": "\\${oc.create:{_target_:os.mkdir}}"}),
        "oc.create",
    ),
    "an object of Python's": (
        lambda text: text + '\nextra: !!python/object/apply:os.mkdir ["executed"]\n',
        "config.yaml: cannot be read",
    ),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configurations_run_nothing(
    name: str, evaluate_cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, reason = CONFIGURATIONS[name]
    monkeypatch.setenv("SECRET", "s3cr3t")
    config = RunDirectory(run).config
    config.write_text(change(config.read_text()))
    done = evaluate_cli(f"run={run}")
    check_refused(done, reason)
    assert not (run.parent / "executed").exists()


# ---- what is no file ----


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "link to nothing"])
@pytest.mark.parametrize("data", ["cifar10", "folder"])
def test_a_root_that_is_no_file_is_not_waited_for(
    data: str, kind: str, cli: Cli, tmp_path: Path
) -> None:
    import socket

    root = tmp_path / "root"
    if kind == "pipe":
        os.mkfifo(root)
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(str(root))
    else:
        root.symlink_to("/dev/zero" if kind == "device" else tmp_path / "nowhere")
    with bounded():
        done = cli(f"data={data}", f"data.root={root}", *WORDS)
    check_refused(done, f"data.root={root}", "nowhere" if "link" in kind else "pipe or a device")
