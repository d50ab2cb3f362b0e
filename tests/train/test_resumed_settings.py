"""What may be changed when a run is resumed changes what happens from there on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from src.cli import hydra_app
from src.data.loader import EpochLoader, ResidentImages
from src.runs.directory import RunDirectory
from src.runs.reader import read_rows
from src.train.resume import CHANGEABLE_KEYS
from src.training import hardware
from src.training.checkpoint_io import AtomicCheckpointIO
from src.training.classifier import ImageClassifier
from src.training.schedules import build_factor
from tests.fixtures.cli import TINY, Cli, Result
from tests.fixtures.options import scheduler_settings

WORDS = [
    *(*TINY, "trainer.limit_train_batches=null", "trainer.precision=32-true", "logger=csv"),
    *("model=custom", "model._target_=tests.fixtures.networks.Pixels", "+model.width=4"),
    *("data.batch_size=32", "trainer.max_epochs=2", "trainer.log_every_n_steps=1"),
    *("optimizer.lr=0.1", "callbacks.checkpoint_every_n_epochs=1"),
]
TRUST = "trust=[tests.fixtures.networks.Pixels]"
ONECYCLE = {"peak": 0.2, "start": 0.04, "final": 1e-4, "anneal": "linear"}


@pytest.fixture
def run(cli: Cli, cifar: str, tmp_path: Path) -> RunDirectory:
    """Two epochs of six steps, finished."""
    run = RunDirectory(tmp_path / "run")
    done = cli(cifar, *WORDS, f"hydra.run.dir={run.path}")
    assert done.code == 0, done.err
    return run


def rates(run: RunDirectory) -> list[float]:
    return [row["lr"] for row in read_rows(run) if "lr" in row]


def test_the_first_step_of_more_epochs_has_the_rate_of_their_schedule(
    cli: Cli, run: RunDirectory
) -> None:
    done = cli(f"resume={run.path}", TRUST, "trainer.max_epochs=4")
    assert done.code == 0, done.err
    factor = build_factor(scheduler_settings("onecycle", **ONECYCLE), 24, 6)
    expected = [0.1 * factor(step) for step in range(12, 24)]
    assert rates(run)[12:] == pytest.approx(expected)
    assert (
        f"the learning rate of step 13 is {expected[0]:g} by a schedule of 4 epochs, "
        "no longer 1e-05; "
        "scheduler.total_epochs=2 keeps the schedule as it was"
    ) in done.out


def test_the_schedule_of_the_run_so_far_can_be_kept(cli: Cli, run: RunDirectory) -> None:
    words = ["trainer.max_epochs=4", "scheduler.total_epochs=2"]
    done = cli(f"resume={run.path}", TRUST, *words)
    assert done.code == 0, done.err
    assert rates(run)[12:] == pytest.approx([1e-5] * 12)
    assert "learning rate of step" not in done.out


def test_a_schedule_no_longer_than_its_warm_up_is_refused(cli: Cli, cifar: str) -> None:
    words = ["scheduler.warmup_epochs=1", "scheduler.total_epochs=1"]
    done = cli(cifar, *WORDS, *words)
    assert done.code == 2
    assert "scheduler.total_epochs=1: must be more than scheduler.warmup_epochs=1" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["step", "scheduler.step_size=2"], "step_size: epoch 2 is never reached"),
        (["multistep", "scheduler.milestones=[1,3,4]"], "milestones: epoch 4 is never reached"),
        (
            ["multistep", "scheduler.milestones=[11,12]", "scheduler.unit=step"],
            "milestones: step 12 is never reached: the run ends after 2 epochs, 12 steps",
        ),
    ],
)
def test_what_of_a_schedule_is_beyond_the_end_of_the_run_is_named(
    cli: Cli, cifar: str, words: list[str], message: str
) -> None:
    schedule, *settings = words
    done = cli(cifar, *WORDS, f"scheduler={schedule}", *settings)
    assert done.code == 0, done.err
    assert f"scheduler.{message}" in done.out
    assert "1 is never" not in done.out and "11 is never" not in done.out


class Seen:
    """What a resumed run did, as its parts saw it."""

    def __init__(self, run: RunDirectory, monkeypatch: pytest.MonkeyPatch):
        self.run = run
        self.done: Result
        self.loaders: list[EpochLoader] = []
        self.saved: list[str] = []
        self.compiled: list[str] = []
        self.validated: list[int] = []
        self._spy(monkeypatch, EpochLoader, "__iter__", lambda loader: self.loaders.append(loader))
        self._spy(
            monkeypatch,
            AtomicCheckpointIO,
            "save_checkpoint",
            lambda _, checkpoint, path, **rest: self.saved.append(Path(path).name),
        )
        self._spy(
            monkeypatch,
            ImageClassifier,
            "validation_step",
            lambda _, batch, idx: self.validated.append(len(batch.labels)),
        )
        monkeypatch.setattr(nn.Module, "compile", lambda _, mode: self.compiled.append(mode))
        self.launched: list[int] = []
        monkeypatch.setattr(
            hydra_app, "launch_ranks", lambda *words: self.launched.append(words[-1]) or 0
        )
        monkeypatch.setattr(hardware, "count_gpus", lambda: 0)

    @staticmethod
    def _spy(
        monkeypatch: pytest.MonkeyPatch, owner: type, name: str, see: Callable[..., object]
    ) -> None:
        plain = getattr(owner, name)

        def spied(*args: Any, **kwargs: Any) -> Any:
            see(*args, **kwargs)
            return plain(*args, **kwargs)

        monkeypatch.setattr(owner, name, spied)

    @property
    def figures(self) -> dict[str, Any]:
        return dict(json.loads(self.run.metrics.read_text()))

    @property
    def compute(self) -> dict[str, Any]:
        return dict(json.loads(self.run.record.read_text())["compute"])


def steps_that_were_read(seen: Seen) -> list[int]:
    return [int(row["step"]) for row in read_rows(seen.run) if "lr" in row][12:]


Check = Callable[[Seen, Path], bool]
TOGETHER: dict[str, tuple[str, Check]] = {
    "trainer.max_epochs": ("5", lambda seen, _: seen.figures["epochs"] == 5),
    "callbacks.checkpoint_every_n_epochs": (
        "2",
        lambda seen, _: seen.saved.count("last.ckpt") == 2,
    ),
    "callbacks.model_summary": ("false", lambda seen, _: "Multiply-adds" not in seen.done.out),
    "callbacks.progress_bar": ("true", lambda seen, _: "Epoch" in seen.done.out + seen.done.err),
    "data.cache_dir": ("elsewhere", lambda _, place: any((place / "elsewhere").iterdir())),
    "data.eval_batch_size": ("7", lambda seen, _: max(seen.validated) == 7),
    "data.num_workers": ("1", lambda seen, _: seen.loaders[0]._workers is not None),
    "logger.tensorboard": ("true", lambda seen, _: any(seen.run.path.glob("events.out.*"))),
    "test_checkpoint": ("last", lambda seen, _: seen.figures["checkpoint"] == "last"),
    "trainer.compile": ("true", lambda seen, _: len(seen.compiled) == 1),
    "trainer.compile_mode": (
        "max-autotune",
        lambda seen, _: seen.compiled == ["max-autotune"],
    ),
    "trainer.log_every_n_steps": (
        "3",
        lambda seen, _: steps_that_were_read(seen) == list(range(14, 30, 3)),
    ),
    "trainer.num_threads": ("2", lambda seen, _: seen.compute["threads"] == 2),
    "trainer.precision": (
        "bf16-mixed",
        lambda seen, _: seen.compute["precision"] == "bf16-mixed",
    ),
}
ALONE = {
    "trainer.max_steps": (
        ["trainer.max_steps=16", "trainer.max_epochs=9"],
        lambda seen: seen.figures["steps"] == 16,
    ),
    "data.resident": (
        ["data.resident=always", "trainer.max_epochs=3"],
        lambda seen: isinstance(seen.loaders[0].source, ResidentImages),
    ),
    "data.download": (
        ["data.root=nowhere", "data.download=false", "trainer.max_epochs=3"],
        lambda seen: "downloading is off" in seen.done.err,
    ),
    "trainer.accelerator": (
        ["trainer.accelerator=gpu", "trainer.max_epochs=3"],
        lambda seen: "no GPU" in seen.done.err,
    ),
    "trainer.devices": (
        ["trainer.devices=2", "trainer.max_epochs=3"],
        lambda seen: seen.launched == [2],
    ),
    "trainer.num_nodes": (
        ["trainer.num_nodes=2", "trainer.max_epochs=3"],
        lambda seen: "trainer.num_nodes=2" in seen.done.err,
    ),
}
TESTS_OF_THEIR_OWN = {
    "callbacks.early_stopping.enabled",
    "callbacks.early_stopping.min_delta",
    "callbacks.early_stopping.patience",
    "data.root",
    "scheduler.total_epochs",
}


def test_every_setting_that_may_be_changed_is_tried() -> None:
    assert {*TOGETHER, *ALONE, *TESTS_OF_THEIR_OWN} == set(CHANGEABLE_KEYS)


def test_settings_changed_together_each_have_their_effect(
    cli: Cli, run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Seen(run, monkeypatch)
    words = [f"{key}={value}" for key, (value, _) in TOGETHER.items()]
    seen.done = cli(f"resume={run.path}", TRUST, *words)
    assert seen.done.code == 0, seen.done.err
    without = [key for key, (_, check) in TOGETHER.items() if not check(seen, tmp_path)]
    assert not without


@pytest.mark.parametrize("key", ALONE)
def test_a_changed_setting_has_its_effect(
    cli: Cli, run: RunDirectory, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    seen = Seen(run, monkeypatch)
    words, check = ALONE[key]
    seen.done = cli(f"resume={run.path}", TRUST, *words)
    assert check(seen), (seen.done, words)


def test_the_images_may_have_moved(cli: Cli, run: RunDirectory, cifar: str, tmp_path: Path) -> None:
    old = Path(cifar.partition("=")[2])
    new = Path(shutil.copytree(old, tmp_path / "moved"))
    done = cli(f"resume={run.path}", TRUST, f"data.root={new}", "trainer.max_epochs=3")
    assert done.code == 0, done.err
    assert str(new) in done.out


EARLY = "callbacks.early_stopping"


@pytest.mark.parametrize(
    ("words", "epochs"),
    [
        ([], 3),
        ([f"{EARLY}.patience=3"], 4),
        ([f"{EARLY}.min_delta=0"], 6),
        ([f"{EARLY}.enabled=false"], 6),
    ],
)
def test_a_run_that_stopped_early_goes_on_by_what_is_asked_for_now(
    cli: Cli,
    cifar: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    epochs: int,
) -> None:
    """The validation loss falls by a hundredth an epoch; a fall of 1 is asked for at first."""
    losses = iter(range(1000, 0, -1))
    plain = ImageClassifier.on_validation_epoch_end

    def end(self: ImageClassifier) -> None:
        plain(self)
        self.log("val/loss", torch.tensor(next(losses) / 100))

    monkeypatch.setattr(ImageClassifier, "on_validation_epoch_end", end)
    run = RunDirectory(tmp_path / "run")
    early = [f"{EARLY}.enabled=true", f"{EARLY}.patience=1", f"{EARLY}.min_delta=1"]
    early += ["callbacks.monitor=val/loss", "trainer.max_epochs=6", "logger=csv"]
    done = cli(cifar, *WORDS, *early, f"hydra.run.dir={run.path}")
    assert done.code == 0, done.err
    assert json.loads(run.metrics.read_text())["epochs"] == 2
    done = cli(f"resume={run.path}", TRUST, *words)
    assert done.code == 0, done.err
    assert done.err == ""
    assert json.loads(run.metrics.read_text())["epochs"] == epochs


def test_a_run_by_steps_goes_on_after_an_epoch_as_if_it_had_not_ended(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    whole, part = RunDirectory(tmp_path / "whole"), RunDirectory(tmp_path / "part")
    words = [cifar, *WORDS, "trainer.max_epochs=null", "scheduler=constant"]
    words += ["callbacks.monitor=train/loss"]
    done = cli(*words, "trainer.max_steps=16", f"hydra.run.dir={whole.path}")
    assert done.code == 0, done.err
    assert cli(*words, "trainer.max_steps=12", f"hydra.run.dir={part.path}").code == 0
    done = cli(f"resume={part.path}", TRUST, "trainer.max_steps=16")
    assert done.code == 0, done.err
    ends = [
        [
            (row["step"], row["train/loss_epoch"])
            for row in read_rows(run)
            if "train/loss_epoch" in row
        ]
        for run in (whole, part)
    ]
    assert len(ends[0]) == 3
    assert ends[0] == ends[1]
    states = [torch.load(run.last, weights_only=True)["state_dict"] for run in (whole, part)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
