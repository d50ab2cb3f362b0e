"""A single run, from the command line to its directory."""

import json
from pathlib import Path

import cv2
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from src.runs.directory import RunDirectory
from src.runs.reader import read_rows
from tests.fixtures.cli import TINY, Cli, the_run

SMALL = ["model=resnet20", "data.batch_size=64", *TINY]


def test_a_run_leaves_everything_about_it_in_its_directory(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    done = cli(cifar, "seed=3", *SMALL, "trainer.log_every_n_steps=1")
    assert done.code == 0, done.err
    run = the_run(tmp_path)
    record = json.loads(run.record.read_text())
    assert record["state"] == "finished"
    assert record["seed"] == 3
    assert record["command"].endswith("trainer.log_every_n_steps=1")
    assert record["data"]["train_images"] == 180
    assert record["data"]["test_images"] == 40
    assert len(record["data"]["split_hash"]) == 16
    assert record["parameters"] == 269_722
    figures = json.loads(run.metrics.read_text())
    for name in ("val/acc", "val/loss", "test/acc", "test/loss", "train/acc", "train/loss"):
        assert figures[name] is not None, name
    assert figures["epochs"] == 1
    assert figures["steps"] == 2
    assert figures["images"] == 128
    steps = [row for row in read_rows(run) if "train/loss" in row]
    assert [row["step"] for row in steps] == [0, 1]
    assert {"lr", "train/acc"} <= steps[0].keys()
    assert "images_per_second" in steps[1], "the first step is start-up"
    assert run.config.exists()
    assert run.overrides.exists()
    picture = cv2.imread(str(run.path / "curves.png"))
    assert picture is not None and picture.std() > 10, "a picture with something in it"
    assert "269,722" in run.summary.read_text()
    assert "epoch 1/1" in (run.path / "train.log").read_text()
    for path in (run.best, run.last):
        checkpoint = torch.load(path, weights_only=True)
        assert "network.backbone.conv1.weight" in checkpoint["state_dict"]
        assert "network.normalize.mean" in checkpoint["state_dict"]


def test_tensorboard_has_the_same_curves(cli: Cli, cifar: str, tmp_path: Path) -> None:
    cli(cifar, *SMALL, "trainer.log_every_n_steps=1")
    run = the_run(tmp_path)
    events = EventAccumulator(str(run.path)).Reload()
    tags = set(events.Tags()["scalars"])
    assert {"train/loss", "train/acc", "val/loss", "val/acc", "test/acc", "lr"} <= tags
    assert "hp_metric" not in tags
    rows = [row["train/loss"] for row in read_rows(run) if "train/loss" in row]
    drawn = [event.value for event in events.Scalars("train/loss")]
    torch.testing.assert_close(torch.tensor(drawn), torch.tensor(rows))


def test_the_same_command_gives_the_same_weights_and_another_seed_does_not(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    def weights(name: str, *words: str) -> torch.Tensor:
        done = cli(cifar, *SMALL, *words, f"hydra.run.dir={tmp_path / name}")
        assert done.code == 0, done.err
        state = torch.load(tmp_path / name / "checkpoints/last.ckpt", weights_only=True)
        return torch.cat([tensor.flatten().float() for tensor in state["state_dict"].values()])

    first = weights("a", "seed=0")
    assert torch.equal(first, weights("b", "seed=0"))
    assert not torch.equal(first, weights("c", "seed=1"))


def test_all_of_it_together_runs(cli: Cli, cifar: str, tmp_path: Path) -> None:
    done = cli(
        cifar,
        *SMALL,
        "augment=strong",
        "optimizer=muon",
        "scheduler=cosine",
        "scheduler.warmup_epochs=0.5",
        "callbacks=ema",
        "callbacks.early_stopping.enabled=true",
        "label_smoothing=0.1",
        "trainer.accumulate_grad_batches=2",
        "trainer.gradient_clip_norm=1",
        "trainer.precision=bf16-mixed",
        "model.dropout=0.2",
    )
    assert done.code == 0, done.err
    assert json.loads(the_run(tmp_path).metrics.read_text())["steps"] == 1


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "muon"])
def test_gradients_are_clipped_in_bf16_too(
    cli: Cli, cifar: str, tmp_path: Path, optimizer: str
) -> None:
    """Of a gradient of no length, nothing is left but the decay of the weights, which is off."""
    words = [cifar, "model=resnet20", "data.batch_size=64", *TINY, "trainer.precision=bf16-mixed"]
    words += [f"optimizer={optimizer}", "optimizer.weight_decay=0"]
    norms = []
    for clip in ("null", "1e-30"):
        run = RunDirectory(tmp_path / clip)
        done = cli(*words, f"trainer.gradient_clip_norm={clip}", f"hydra.run.dir={run.path}")
        assert done.code == 0, done.err
        state = torch.load(run.last, weights_only=True)
        norms.append(state["state_dict"]["network.backbone.fc.bias"])
    assert not torch.equal(*norms)


def test_a_run_may_end_after_so_many_steps_in_the_middle_of_an_epoch(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    done = cli(
        cifar,
        "model=resnet20",
        "data.batch_size=32",
        "trainer.accelerator=cpu",
        "trainer.max_epochs=null",
        "trainer.max_steps=8",
        "test_checkpoint=last",
        "callbacks.progress_bar=false",
    )
    assert done.code == 0, done.err
    figures = json.loads(the_run(tmp_path).metrics.read_text())
    assert (figures["steps"], figures["checkpoint_epoch"]) == (8, 2)
    rows = [row for row in read_rows(the_run(tmp_path)) if "val/acc" in row]
    assert len(rows) == 2, "after the first epoch, and at the end"
    assert figures["val/acc"] == rows[-1]["val/acc"]
    assert figures["test/acc"] is not None


def test_gray_images_of_another_size_and_a_custom_backbone_and_optimizer(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    done = cli(
        cifar,
        "data.channels=1",
        "data.image_size=16",
        "data.mean=null",
        "data.std=null",
        "model=torchvision",
        "model.name=squeezenet1_1",
        "optimizer=custom",
        "optimizer._target_=torch.optim.RMSprop",
        "+optimizer.alpha=0.9",
        "data.batch_size=32",
        *TINY,
    )
    assert done.code == 2
    assert "the model cannot take an image of 1x16x16" in done.err
    done = cli(
        cifar,
        "data.channels=1",
        "data.mean=null",
        "data.std=null",
        "model=custom",
        "model._target_=tests.fixtures.networks.Pixels",
        "+model.width=4",
        "optimizer=custom",
        "optimizer._target_=torch.optim.RMSprop",
        "+optimizer.alpha=0.9",
        "hydra.run.dir=custom",
        *TINY,
    )
    assert done.code == 0, done.err
    assert "measured mean" in done.out


@pytest.mark.parametrize(
    "words",
    [
        ["trainer.max_epochs=null", "trainer.max_steps=1"],
        [
            "callbacks.monitor=train/acc",
            "trainer.check_val_every_n_epoch=2",
            "trainer.max_epochs=3",
        ],
    ],
)
def test_a_run_that_is_not_validated_at_its_best_or_at_all_still_ends_well(
    cli: Cli, cifar: str, tmp_path: Path, words: list[str]
) -> None:
    done = cli(cifar, *SMALL, *words)
    assert done.code == 0, done.err
    assert done.err == ""
    assert json.loads(the_run(tmp_path).metrics.read_text())["test/acc"] is not None


def test_a_network_that_does_not_take_a_key_is_built_without_it(cli: Cli, cifar: str) -> None:
    target = "model._target_=tests.fixtures.networks.Colors"
    done = cli(cifar, "model=custom", target, "~model.in_channels", "data.batch_size=64", *TINY)
    assert done.code == 0, done.err
