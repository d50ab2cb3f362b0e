"""``python -m src.export``: files that other programs load, and that compute the same."""

import builtins
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from src.export import verify
from src.inference.load_run import load_run
from tests.fixtures.cli import Cli

onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")
onnxruntime = pytest.importorskip("onnxruntime")
safetensors = pytest.importorskip("safetensors")

CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()


def images(count: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 255, (count, 3, 32, 32)).astype(np.float32)


def expected(run: Path, pixels: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return load_run(run).network(torch.from_numpy(pixels)).numpy()


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max())


def test_onnx_computes_the_same_in_two_programs_for_any_batch(export_cli: Cli, runs: Path) -> None:
    done = export_cli(f"run={runs / 'one'}")
    assert done.code == 0, done.err
    path = runs / "one/export/best.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    network = cv2.dnn.readNetFromONNX(str(path))
    for count in (1, 3, 11):
        pixels = images(count)
        wanted = expected(runs / "one", pixels)
        assert close(session.run(None, {"images": pixels})[0], wanted)
        network.setInput(pixels)
        assert close(network.forward(), wanted)
    for name in ("torch", "ONNX Runtime", "cv2.dnn"):
        assert re.search(rf"│ {re.escape(name)} .*\d\.\d\d │", done.out), done.out
    assert "graph" not in done.out + done.err, "the exporter's own report is left out"


def test_onnx_says_what_it_takes_and_what_comes_out(export_cli: Cli, runs: Path) -> None:
    export_cli(f"run={runs / 'one'}")
    model = onnx.load(runs / "one/export/best.onnx")
    facts = {item.key: item.value for item in model.metadata_props}
    assert json.loads(facts["classes"]) == CLASSES
    assert facts["input"] == "images: float32 (N, 3, 32, 32), RGB, 0..255, not normalized"
    assert facts["run"] == "one" and facts["checkpoint"] == "best.ckpt"
    tested = json.loads((runs / "one/metrics.json").read_text())["test/acc"]
    assert float(facts["test_accuracy"]) == tested


def test_torch_export_computes_the_same(export_cli: Cli, runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "net.pt2"
    done = export_cli(f"run={runs / 'one'}", "format=torch_export", f"output='{path}'")
    assert done.code == 0, done.err
    extra = {"metadata.json": ""}
    program = torch.export.load(path, extra_files=extra)
    pixels = images(5)
    found = program.module()(torch.from_numpy(pixels)).detach().numpy()
    assert close(found, expected(runs / "one", pixels))
    assert json.loads(extra["metadata.json"])["classes"] == CLASSES


def test_safetensors_are_the_weights(export_cli: Cli, runs: Path) -> None:
    done = export_cli(f"ckpt={runs / 'one/checkpoints/last.ckpt'}", "format=safetensors")
    assert done.code == 0, done.err
    path = runs / "one/export/last.safetensors"
    with safetensors.safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["classes"]) == CLASSES
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    state = load_run(runs / "one", "last").network.state_dict()
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], value) for name, value in state.items())


def compute_otherwise(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let a program that loads the file multiply what comes out."""
    load = verify.ENGINES["onnx"][name]

    def off(path: Path, network: Any) -> verify.Engine:
        engine = load(path, network)
        return lambda pixels: engine(pixels) * np.float32(1.001)

    monkeypatch.setitem(verify.ENGINES["onnx"], name, off)


def test_what_computes_something_else_is_not_kept(
    export_cli: Cli, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = runs / "one/export/best.onnx"
    path.parent.mkdir()
    path.write_text("an earlier export")
    compute_otherwise(monkeypatch, "ONNX Runtime")
    done = export_cli(f"run={runs / 'one'}")
    assert done.code == 1
    assert "ONNX Runtime computes something else" in done.err
    assert path.read_text() == "an earlier export"
    assert [item.name for item in path.parent.iterdir()] == ["best.onnx"]


def test_a_file_that_is_right_is_kept_whatever_opencv_makes_of_it(
    export_cli: Cli, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute_otherwise(monkeypatch, "cv2.dnn")
    done = export_cli(f"run={runs / 'one'}")
    assert done.code == 0, done.err
    assert "cv2.dnn computes something else from the exported file" in done.out + done.err
    assert (runs / "one/export/best.onnx").exists()


def test_a_file_that_is_right_is_kept_where_opencv_cannot_read_it(
    export_cli: Cli, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, network: Any) -> verify.Engine:
        raise cv2.error("no such layer")

    monkeypatch.setitem(verify.ENGINES["onnx"], "cv2.dnn", fail)
    done = export_cli(f"run={runs / 'one'}")
    assert done.code == 0, done.err
    assert "cv2.dnn cannot compute the exported file: no such layer" in done.out + done.err
    assert "Traceback" not in done.out + done.err


def test_damaged_figures_of_the_run_are_one_line(export_cli: Cli, runs: Path) -> None:
    (runs / "one/metrics.json").write_text('{"test/acc": ')
    done = export_cli(f"run={runs / 'one'}", "format=safetensors")
    assert done.code == 2
    assert "metrics.json: not readable as JSON" in done.err
    assert done.err.count("\n") == 1
    assert list((runs / "one/export").iterdir()) == []


def test_brackets_in_a_path_are_no_markup(export_cli: Cli, runs: Path) -> None:
    done = export_cli(f"run={runs / 'one'}", "format=safetensors", "output=a [best].safetensors")
    assert done.code == 0, done.err
    assert "written to a [best].safetensors" in done.out


def test_a_package_that_is_missing_is_named(
    export_cli: Cli, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = builtins.__import__

    def without(name: str, *words: Any) -> Any:
        if name == "safetensors.torch":
            raise ImportError("No module named 'safetensors'")
        return find(name, *words)

    monkeypatch.setattr(builtins, "__import__", without)
    done = export_cli(f"run={runs / 'one'}", "format=safetensors")
    assert done.code == 2
    assert done.err.startswith("error: format=safetensors: No module named 'safetensors'; pip")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which run?"),
        (["run=nowhere"], "nowhere: no such run directory"),
        (["run=runs/one", "format=tflite"], "format=tflite: should be 'onnx', "),
        (["run=runs/one", "output=net.bin"], "must end with .onnx for format=onnx"),
        (["run=runs/one", "output=/proc/none/net.onnx"], "output=/proc/none/net.onnx"),
        (["run=runs/one", "data.root=x"], "an export needs no images"),
        (["run=runs/one", "checkpoint=first"], "checkpoint=first: should be 'best' or 'last'"),
    ],
)
@pytest.mark.usefixtures("runs")
def test_a_mistake_is_one_line(export_cli: Cli, words: list[str], message: str) -> None:
    done = export_cli(*words)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1, done.err
