"""``python -m src.evaluate`` on what is damaged or mistyped: one line, exit code 2."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.fixtures.change import change
from tests.fixtures.cli import Cli


def break_config(run: Path) -> None:
    (run / ".hydra/config.yaml").write_text("a: [")


def other_network(run: Path) -> None:
    change(run / ".hydra/config.yaml", "model.name", "resnet32")


def no_best(run: Path) -> None:
    (run / "checkpoints/best.ckpt").unlink()


def no_record(run: Path) -> None:
    (run / "run.json").unlink()


def truncate(run: Path) -> None:
    path = run / "checkpoints/best.ckpt"
    path.write_bytes(path.read_bytes()[:1000])


def flip_bytes(run: Path) -> None:
    path = run / "checkpoints/best.ckpt"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(255 - byte for byte in content[middle : middle + 64])
    path.write_bytes(content)


def empty(run: Path) -> None:
    (run / "checkpoints/best.ckpt").write_bytes(b"")


def with_state(state: object) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        content = {"state_dict": state, "global_step": 1, "epoch": 1}
        torch.save(content, run / "checkpoints/best.ckpt")

    return damage


def record(key: str, value: object) -> Callable[[Path], None]:
    return lambda run: change(run / "run.json", key, value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_config, "config.yaml: cannot be read"),
        (other_network, "best.ckpt: not of the network of this run"),
        (no_best, "has no checkpoints/best.ckpt; checkpoint=last is there"),
        (no_record, "run.json: data: is missing"),
        (truncate, "best.ckpt: not a readable checkpoint"),
        (flip_bytes, "it is damaged: its SHA-256 is not the one at its end"),
        (empty, "not a readable checkpoint (it is empty)"),
        (with_state([1]), "its state_dict is not made of named tensors"),
        (with_state({1: torch.ones(1)}), "its state_dict is not made of named tensors"),
        (with_state({"a": 1}), "its state_dict is not made of named tensors"),
        (
            record("data.image_shape", [0, 0, 3]),
            "run.json: data.image_shape=0: should be greater than or equal to 1",
        ),
        (record("compute.precision", "bf8"), "compute.precision=bf8: should be '32"),
    ],
)
def test_a_damaged_run_is_one_line(
    evaluate_cli: Cli, runs: Path, damage: Any, message: str
) -> None:
    damage(runs / "one")
    done = evaluate_cli(f"run={runs / 'one'}")
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1, done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which run?"),
        (["run=a", "ckpt=b"], "which run?"),
        (["run=nowhere"], "nowhere: no such run directory"),
        (["run=runs"], "runs: not a run directory"),
        (["ckpt=file.txt"], "not in a run directory"),
        (["run=runs/one", "tta=turn"], "tta=turn: should be 'none', 'flip' or 'shift'"),
        (["run=runs/one", "batchsize=3"], "did you mean batch_size"),
        (["run=runs/one", "data.rot=x"], "data.rot: no such setting"),
        (["run=runs/one", "data=cifar11"], "did you mean cifar10"),
        (["run=runs/one", "data=shapes"], "knows no class circle"),
        (["run=runs/one", "data.root=a,b"], "type data=<option> or data.<key>=<value>"),
        (["run=runs/one", "data.root=nothing", "data.download=false"], "data.root=nothing"),
        (["run=runs/one", "precision=16-mixed", "accelerator=cpu"], "float16 needs a GPU"),
        (["run=runs/one", "against=nowhere"], "nowhere: no such run directory"),
        (["-m", "run=runs/one"], "cannot be swept"),
    ],
)
@pytest.mark.usefixtures("runs")
def test_a_mistake_is_one_line(
    evaluate_cli: Cli, tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "file.txt").write_text("no checkpoint")
    done = evaluate_cli(*words)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1, done.err


def test_help_and_settings_can_be_shown(evaluate_cli: Cli) -> None:
    assert "src.evaluate run=RUN_DIR against=RUN_DIR" in evaluate_cli("--help").out
    assert "tta: flip" in evaluate_cli("--cfg", "job", "tta=flip").out
