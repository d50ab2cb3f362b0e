"""``python -m src.benchmark``, on a tiny data set."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import cv2
import pytest
import torch

from src.models.resnet import build_model
from src.models.summary import summarize
from tests.fixtures.cli import Cli

TINY = [
    "model=resnet20",
    "data.batch_size=32",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "benchmark.rounds=2",
    "benchmark.seconds=0.01",
    "callbacks.progress_bar=false",
    "data=cifar10",
]
ROOT = Path(__file__).parents[2]
PLACE = "hydra.run.dir=out"


def figures(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "benchmark.json").read_text())


def test_a_race_is_printed_kept_and_drawn(benchmark_cli: Cli, cifar: str, tmp_path: Path) -> None:
    large = torch.ones(3 << 28)  # 3 GiB, which are not a contender's
    done = benchmark_cli(*TINY, cifar, PLACE)
    assert done.code == 0, done.err
    found = figures(tmp_path / "out")
    assert found["title"].startswith("resnet20, batch 32, CPU")
    assert set(found["ratios"]) == {"ours/bare", "ours/plain"}
    for name in ("ours", "bare", "plain"):
        assert re.search(rf"│ {name} .* [\d.]+ s │ +[\d,]+ MiB │", done.out), done.out
        values = found["speeds"][name]["values"]
        assert len(values) == 2 and min(values) > 0
        assert found["alone"][name]["seconds_to_first_step"] > 0.1
        assert 100 < found["alone"][name]["peak_memory_mib"] < large.nbytes / 2**20 / 2
    first = [found["speeds"][name]["values"][0] for name in ("ours", "plain")]
    assert found["ratios"]["ours/plain"]["values"][0] == pytest.approx(first[0] / first[1])
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert record["state"] == "finished"
    assert record["command"].startswith("python -m src.benchmark model=resnet20")
    assert record["compute"]["precision"] == "32-true"
    picture = cv2.imread(str(tmp_path / "out/benchmark.png"))
    assert picture is not None and picture.std() > 10


def test_the_bare_loop_is_enough_to_compare_with(
    benchmark_cli: Cli, cifar: str, tmp_path: Path
) -> None:
    words = ["benchmark.contenders=[ours,bare]", "trainer.precision=bf16-mixed", "augment=none"]
    done = benchmark_cli(*TINY, cifar, *words, PLACE)
    assert done.code == 0, done.err
    assert set(figures(tmp_path / "out")["speeds"]) == {"ours", "bare"}


def test_a_bare_loop_starts_without_lightning() -> None:
    words = "import sys; import src.benchmark.worker, src.benchmark.contenders.bare"
    words += "; sys.exit('lightning' in sys.modules or 'torchvision' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mode", ["training", "operations"])
@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("model.num_classes=5", "the model has 5 outputs and the data 10 classes"),
        ("data.batch_size=500", "data.batch_size=500: larger than the training set of 180 images"),
    ],
)
def test_what_does_not_fit_is_refused(
    benchmark_cli: Cli, cifar: str, mode: str, word: str, message: str
) -> None:
    words = ["data.num_classes=null", f"benchmark.mode={mode}"]
    done = benchmark_cli(*TINY, cifar, *words, word)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1, done.err


def test_a_contender_that_is_refused_is_named(benchmark_cli: Cli, cifar: str) -> None:
    words = ["optimizer=custom", "optimizer._target_=torch.optim.ASGD", "optimizer.lr=-1"]
    done = benchmark_cli(*TINY, cifar, *words)
    assert done.code == 2
    assert done.err == "error: ours: Invalid learning rate: -1\n"


@pytest.mark.parametrize("augment", ["standard", "none"])
def test_the_input_path(benchmark_cli: Cli, cifar: str, tmp_path: Path, augment: str) -> None:
    threads = torch.get_num_threads()
    done = benchmark_cli(*TINY, cifar, "benchmark.mode=input", f"augment={augment}", PLACE)
    assert done.code == 0, done.err
    found = figures(tmp_path / "out")["measured"]
    assert len(found["first opening: decode and cache"]["values"]) == 2
    assert found["fetch batches, one thread"]["median"] > 0
    assert ("fetch and augment, one thread" in found) == (augment == "standard")
    assert torch.get_num_threads() == threads


def test_operations_add_up(benchmark_cli: Cli, cifar: str, tmp_path: Path) -> None:
    done = benchmark_cli(*TINY, cifar, "benchmark.mode=operations", PLACE)
    assert done.code == 0, done.err
    found = figures(tmp_path / "out")
    rows = {row["name"]: row for row in found["rows"]}
    assert sum(row["milliseconds"] for row in rows.values()) == pytest.approx(found["milliseconds"])
    assert found["matrix_rate"] > 1 and found["bandwidth"] > 0.1
    convolution = rows["convolution_backward 16→16, 3×3 on 32×32"]
    assert convolution["calls"] == 6
    # Forward, and backward twice but for the images' own gradient.
    forward = 2 * 32 * summarize(build_model("resnet20"), (3, 32, 32)).multiply_adds / 1e9
    stem = 2 * 32 * 3 * 16 * 9 * 32 * 32 / 1e9
    total = sum(row["gigaflops"] for row in rows.values())
    assert total == pytest.approx(3 * forward - stem, rel=1e-3)
    assert convolution["least_milliseconds"] > 0
    assert "GFLOP/s in a matrix product" in done.out
    trace = json.loads((tmp_path / "out/trace.json").read_text())
    assert any(event.get("name") == "aten::convolution" for event in trace["traceEvents"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["benchmark.mode=race"],
            "benchmark.mode=race: should be 'training', 'input' or 'operations'",
        ),
        (["benchmark.contenders=[bare]"], "ours is what the others are compared with"),
        (
            ["benchmark.contenders=[us]"],
            "benchmark.contenders=us: should be 'ours', 'bare' or 'plain'",
        ),
        (["benchmark.contenders=[]", "benchmark.mode=input"], "each once, for example [ours,bare]"),
        (["benchmark.contenders=[ours,ours]"], "each once, for example [ours,bare]"),
        (["benchmark.round=2"], "benchmark.round"),
        (["trainer.devices=2"], "trainer.devices=2: a benchmark measures one device"),
        (["trainer.accumulate_grad_batches=2"], "leave them out"),
        (["trainer.gradient_clip_norm=1"], "leave them out"),
        (["resume=outputs/train/x"], "a benchmark has nothing to continue"),
        (["data=cifar10", "data.root=/nowhere", "data.download=false"], "/nowhere"),
    ],
)
def test_a_mistake_is_one_line(benchmark_cli: Cli, words: list[str], message: str) -> None:
    done = benchmark_cli("trainer.accelerator=cpu", *words)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1, done.err


@pytest.mark.reliability
@pytest.mark.parametrize(
    ("number", "words", "sign"),
    [
        (signal.SIGINT, ["benchmark.contenders=[ours,plain]"], "round 2/"),
        (signal.SIGTERM, ["benchmark.contenders=[ours,plain]"], "round 2/"),
        (signal.SIGINT, ["benchmark.mode=input"], "training,"),
    ],
    ids=["Ctrl-C", "SIGTERM", "Ctrl-C before anything"],
)
def test_what_was_measured_before_a_signal_is_shown_and_kept(
    number: signal.Signals, words: list[str], sign: str, cifar: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "src.benchmark", *TINY, cifar, *words, "benchmark.rounds=999"]
    process = subprocess.Popen(
        [*command, f"hydra.run.dir={tmp_path / 'out'}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    before = "".join(iter(lambda: _line_until(process.stdout, sign), ""))
    os.killpg(process.pid, number)  # as a terminal does
    after, err = process.communicate()
    assert process.returncode == 128 + number, before + after + err
    record = json.loads((tmp_path / "out/run.json").read_text())
    assert record["state"] == "interrupted"
    if sign.startswith("round"):
        assert "interrupted; what was measured is in" in err
        assert "│ ours " in after
        one, other = figures(tmp_path / "out")["speeds"].values()
        assert len(one["values"]) >= 2 and len(other["values"]) >= 2
        assert (tmp_path / "out/benchmark.png").exists()


def _line_until(stream: IO[str], sign: str) -> str:
    """A line, or nothing once one holds ``sign``."""
    line = stream.readline()
    assert line, "the process ended"
    return "" if sign in line else line


@pytest.mark.reliability
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")
def test_a_contender_that_dies_is_named(cifar: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "src.benchmark", *TINY, cifar, "benchmark.rounds=999"]
    command += ["benchmark.contenders=[ours,bare]", f"hydra.run.dir={tmp_path / 'out'}"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in iter(lambda: _line_until(process.stdout, "round 2/"), ""):
            pass
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        workers = [
            pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(int(workers[-1]), signal.SIGKILL)
        _, err = process.communicate()
    assert process.returncode == 1
    assert err == "error: bare: its process ended with code -9\n"
