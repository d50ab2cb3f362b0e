"""Training on a CUDA GPU: every precision, the same numbers on every path, exact resume."""

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from src.augment.pipeline import Augment
from src.runs.directory import RunDirectory
from tests.fixtures.cli import Cli
from tests.fixtures.processes import ROOT
from tests.fixtures.states import PARTS, digests
from tests.train.test_resume import interrupt_at

pytestmark = pytest.mark.gpu

WORDS = [
    "data=shapes",
    "model=resnet20",
    "trainer.accelerator=gpu",
    "trainer.max_epochs=2",
    "trainer.limit_train_batches=8",
    "trainer.log_every_n_steps=1",
    "callbacks.progress_bar=false",
]


def train(cli: Cli, place: Path, *words: str) -> RunDirectory:
    """A run that ends well."""
    done = cli(*WORDS, *words, f"hydra.run.dir={place}")
    assert done.code == 0, done.err
    return RunDirectory(place)


def losses(run: RunDirectory) -> list[float]:
    """The loss of each step."""
    with run.rows.open() as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]


@pytest.mark.parametrize(
    ("asked", "used"),
    [
        ("auto", "bf16-mixed" if torch.cuda.is_bf16_supported(False) else "32-true"),
        ("32-true", "32-true"),
        ("bf16-mixed", "bf16-mixed"),
        ("16-mixed", "16-mixed"),
    ],
)
def test_every_precision_trains(cli: Cli, tmp_path: Path, asked: str, used: str) -> None:
    run = train(cli, tmp_path / "run", f"trainer.precision={asked}", "trainer.max_epochs=3")
    compute = json.loads(run.record.read_text())["compute"]
    assert (compute["accelerator"], compute["precision"]) == ("gpu", used)
    assert compute["gpu"] == torch.cuda.get_device_name()
    first, *_, last = losses(run)
    assert last < first


def test_losses_are_the_cpu_s_within_rounding(cli: Cli, tmp_path: Path) -> None:
    words = ["trainer.precision=32-true", "trainer.max_epochs=1", "optimizer.lr=0.01"]
    ours = losses(train(cli, tmp_path / "gpu", *words))
    cpu = losses(train(cli, tmp_path / "cpu", *words, "trainer.accelerator=cpu"))
    assert ours == pytest.approx(cpu, rel=2e-3)


@pytest.mark.parametrize("words", [["data.resident=never"], ["data.num_workers=2"]])
def test_streamed_images_give_the_losses_of_resident_ones(
    cli: Cli, tmp_path: Path, words: list[str]
) -> None:
    exact = ["trainer.deterministic=true", "augment=strong"]
    resident = train(cli, tmp_path / "resident", *exact, "data.resident=always")
    streamed = train(cli, tmp_path / "streamed", *exact, *words)
    assert losses(streamed) == losses(resident)
    assert digests(streamed.last) == digests(resident.last)


@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_a_compiled_network_gives_the_losses_of_an_eager_one(
    cli: Cli, tmp_path: Path, mode: str
) -> None:
    words = ["trainer.precision=32-true", "optimizer.lr=0.01"]
    eager = train(cli, tmp_path / "eager", *words)
    words += ["trainer.compile=true", f"trainer.compile_mode={mode}"]
    compiled = train(cli, tmp_path / "compiled", *words)
    assert losses(compiled) == pytest.approx(losses(eager), rel=5e-3)


@pytest.mark.parametrize("batch", [3, 7, 12])
def test_an_interrupted_run_ends_as_an_uninterrupted_one_bit_for_bit(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    words = ["trainer.deterministic=true", "augment=strong", "callbacks=ema"]
    whole = train(cli, tmp_path / "whole", *words)
    part = RunDirectory(tmp_path / "part")
    with monkeypatch.context() as patch:
        interrupt_at(patch, batch, signal.SIGINT)
        done = cli(*WORDS, *words, f"hydra.run.dir={part.path}")
    assert done.code == 130, done.err
    assert cli(f"resume={part.path}").code == 0
    assert digests(part.last) == digests(whole.last)
    assert digests(whole.last).keys() == PARTS.keys()


@pytest.mark.parametrize(
    "words",
    [
        ["callbacks=ema"],
        ["optimizer=muon"],
        ["optimizer=adamw"],
        ["trainer.accumulate_grad_batches=2", "trainer.gradient_clip_norm=1"],
        ["augment=strong", "augment.cutmix=1"],
        ["logger=csv"],
    ],
    ids=lambda words: words[0],
)
def test_optimizers_callbacks_and_augmentations_train(
    cli: Cli, tmp_path: Path, words: list[str]
) -> None:
    run = train(cli, tmp_path / "run", *words, "trainer.max_epochs=3")
    first, *_, last = losses(run)
    assert last < first


@pytest.mark.parametrize(
    "options",
    [
        {"crop_padding": 4, "flip": "random"},
        {"crop_padding": 2, "crop_mode": "reflect", "flip": "alternating"},
        {"erase_probability": 0.5, "erase_fill": "noise", "cutout": 8},
        {"mixup": 0.2, "cutmix": 1.0},
    ],
    ids=lambda options: "-".join(options),
)
def test_augmented_images_are_the_cpu_s(options: dict[str, object]) -> None:
    augment = Augment(seed=1, **options)  # type: ignore[arg-type]
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8, generator=draw)
    labels = torch.randint(0, 10, (64,), generator=draw)
    indices = torch.randperm(1000, generator=draw)[:64]
    expected = augment(images, labels, indices, 3, 10)
    found = augment(images.cuda(), labels.cuda(), indices.cuda(), 3, 10)
    for mine, theirs in zip(found, expected, strict=True):
        if theirs is None:
            assert mine is None
        else:
            torch.testing.assert_close(mine.cpu(), theirs, rtol=1e-5, atol=1e-3)


def test_running_out_of_memory_says_what_to_lower(cli: Cli, tmp_path: Path) -> None:
    # An eightieth of an H100: for real, and soon.
    share = 2**30 / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        words = ["model=resnet50", "data.batch_size=512", f"hydra.run.dir={tmp_path / 'run'}"]
        done = cli(*WORDS, *words)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert done.code == 1
    assert done.err.startswith(
        "error: out of memory with data.batch_size=512; try data.batch_size="
    )
    assert len(done.err.splitlines()) == 1


def test_a_rank_of_torchrun_trains(tmp_path: Path) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=1", "-m"]
    words = [*WORDS, f"hydra.run.dir={tmp_path / 'run'}"]
    done = subprocess.run(
        [sys.executable, *launcher, "src.train", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(RunDirectory(tmp_path / "run").record.read_text())["state"] == "finished"
