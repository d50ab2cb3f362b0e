"""What TensorBoard shows of a run without any setting."""

import re
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

from src.runs import RunDirectory
from src.runs.results import read_rows
from src.training.callbacks import StepSeed, gradient_norms
from tests.fixtures.cli import TINY, Cli
from tests.fixtures.datasets import encode, write_files

SMALL = ["model=resnet20", "data.batch_size=64", *TINY]
LONGER = [
    *["model=resnet20", "data.batch_size=32", *TINY, "trainer.limit_train_batches=null"],
    *["trainer.max_epochs=2", "trainer.log_every_n_steps=4"],
]
STAGES = ["1_stem", "2_layer1", "3_layer2", "4_layer3", "5_fc"]
NORMS = [f"gradient_norm/{stage}" for stage in STAGES]


def trained(cli: Cli, path: Path, *words: str) -> RunDirectory:
    done = cli(*words, f"hydra.run.dir={path}")
    assert done.code == 0, done.err
    return RunDirectory(path)


def read(run: RunDirectory) -> EventAccumulator:
    return EventAccumulator(str(run.path)).Reload()


def norms(run: RunDirectory) -> dict[int, list[float]]:
    """The gradient norms of ``metrics.csv`` by step."""
    rows = (row for row in read_rows(run) if NORMS[0] in row)
    return {int(row["step"]): [row[name] for name in NORMS] for row in rows}


def weights(run: RunDirectory) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run.last, weights_only=True)["state_dict"]
    return state


def pages(events: EventAccumulator, title: str) -> dict[int, str]:
    """The text of a page by step, without its fence."""
    found = {}
    for event in events.Tensors(f"{title}/text_summary"):
        text = event.tensor_proto.string_val[0].decode()
        assert text.startswith("```\n") and text.endswith("\n```")
        found[event.step] = text[4:-4]
    return found


def hparams(events: EventAccumulator, tag: str) -> plugin_data_pb2.HParamsPluginData:
    content = events.summary_metadata[f"_hparams_/{tag}"].plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)


def interrupted(cli: Cli, monkeypatch: pytest.MonkeyPatch, path: Path, *words: str) -> None:
    """A run that receives a signal in its fourth batch."""
    plain = StepSeed.on_train_batch_start

    def start(self, trainer, module, *rest):  # type: ignore[no-untyped-def]
        if trainer.fit_loop.epoch_loop.total_batch_idx == 3:
            signal.raise_signal(signal.SIGINT)
        plain(self, trainer, module, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(StepSeed, "on_train_batch_start", start)
        assert cli(*words, f"hydra.run.dir={path}").code == 130


def test_charts_put_training_and_validation_together(cli: Cli, cifar: str, tmp_path: Path) -> None:
    events = read(trained(cli, tmp_path / "run", cifar, *SMALL))
    metadata = events.summary_metadata["custom_scalars__config__"]
    assert metadata.plugin_data.plugin_name == "custom_scalars"
    (event,) = events.Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    tags = events.Tags()["scalars"]
    shown = {
        chart.title: {tag for tag in tags if any(re.match(one, tag) for one in chart.multiline.tag)}
        for category in layout.category
        for chart in category.chart
    }
    assert shown == {
        "loss": {"train/loss", "val/loss"},
        "accuracy": {"train/acc", "val/acc"},
        "learning rate": {"lr"},
        "images per second": {"images_per_second"},
        "gradient norm by depth": set(NORMS),
    }


def test_gradient_norms_are_those_of_the_step_before_clipping(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: dict[str, torch.Tensor] = {}
    plain = StepSeed.on_train_batch_start

    def start(self, trainer, module, *rest):  # type: ignore[no-untyped-def]
        for name, tensor in module.state_dict().items():
            before.setdefault(name, tensor.clone())
        plain(self, trainer, module, *rest)

    monkeypatch.setattr(StepSeed, "on_train_batch_start", start)
    words = ["optimizer.momentum=0", "optimizer.nesterov=false", "optimizer.weight_decay=0"]
    words += ["scheduler=constant", "optimizer.lr=0.5", "trainer.accumulate_grad_batches=2"]
    words += ["trainer.precision=32-true", cifar, *SMALL]
    run = trained(cli, tmp_path / "run", *words)
    found = norms(run)
    assert list(found) == [0], "two batches make one step"
    after = weights(run)
    for part, norm in zip(("(conv1|bn1)", "layer1", "layer2", "layer3", "fc"), found[0]):  # noqa: B905
        names = [
            name
            for name in after
            if re.match(rf"network.backbone.{part}\.", name) and "running" not in name
            if "num_batches" not in name
        ]
        gradient = torch.cat([((before[name] - after[name]) / 0.5).flatten() for name in names])
        assert norm == pytest.approx(float(gradient.norm()), rel=1e-3), part
    clipped = trained(cli, tmp_path / "clipped", *words, "trainer.gradient_clip_norm=0.01")
    assert norms(clipped)[0] == pytest.approx(found[0], rel=1e-4)


def test_gradient_norms_are_computed_at_the_steps_that_are_read_alone(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    plain = gradient_norms.gradient_norm
    monkeypatch.setattr(
        gradient_norms, "gradient_norm", lambda stage: calls.append(stage) or plain(stage)
    )
    run = trained(cli, tmp_path / "run", cifar, *LONGER)
    losses = [int(row["step"]) for row in read_rows(run) if "train/loss" in row]
    # 6 steps an epoch: every fourth step and each epoch's last, counted from 0.
    assert list(norms(run)) == losses == [3, 5, 7, 11]
    assert len(calls) == 4 * len(STAGES)
    events = read(run)
    for name, values in zip(NORMS, zip(*norms(run).values(), strict=True), strict=True):
        drawn = [event.value for event in events.Scalars(name)]
        assert drawn == pytest.approx(values)
        assert min(drawn) > 0


def test_csv_alone_writes_none_of_it_and_trains_the_same_weights(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [cifar, *LONGER, "model.dropout=0.1", "augment=strong", "trainer.log_every_n_steps=1"]
    full = weights(trained(cli, tmp_path / "full", *words))
    monkeypatch.delattr(gradient_norms, "gradient_norm")
    plain = trained(cli, tmp_path / "plain", *words, "logger=csv")
    assert not list(plain.path.glob("events.out.*"))
    assert not norms(plain)
    assert full.keys() == weights(plain).keys()
    for name, tensor in weights(plain).items():
        assert torch.equal(tensor, full[name]), name


@pytest.mark.parametrize("words", [[], ["data.mean=null", "data.std=null"]])
def test_the_first_batch_is_shown_in_its_colours_and_by_its_names(
    cli: Cli, tmp_path: Path, words: list[str]
) -> None:
    colours = {"tomato": (220, 60, 20), "sky": (30, 120, 240)}
    plain = {name: np.full((8, 8, 3), colour, np.uint8) for name, colour in colours.items()}
    files = {f"{name}/{i}.png": encode(plain[name]) for name in colours for i in range(24)}
    root = f"data.root={write_files(tmp_path / 'images', files)}"
    words = ["data=folder", root, "augment=none", *SMALL, "data.batch_size=20", *words]
    (event,) = read(trained(cli, tmp_path / "run", *words)).Images("first_batch")
    assert event.step == 0
    picture = cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    # Three rows, the last of them half filled; tiles of 96 pixels, the name, a seam of 4.
    down = (picture.shape[0] - 4) // 3
    tiles = [picture[4 + down * (i // 8) :, 4 + 100 * (i % 8) :][:down, :96] for i in range(20)]
    strips: dict[tuple[int, ...], list[np.ndarray]] = {}
    for tile in tiles:
        assert len(np.unique(tile[:96].reshape(-1, 3), axis=0)) == 1
        strips.setdefault(tuple(tile[50, 48].tolist()), []).append(tile[96:].min(axis=2))
    assert strips.keys() == set(colours.values())
    ink = {name: np.stack(strips[colour]) < 128 for name, colour in colours.items()}
    for name in colours:
        assert (ink[name] == ink[name][0]).all(), "a class has one name"
        assert ink[name].any()
    assert ink["tomato"].sum() / len(ink["tomato"]) > ink["sky"].sum() / len(ink["sky"])
    assert not (picture[4 + 2 * down :, 404:] < 255).any(), "nothing after the last image"


def test_configuration_and_network_are_pages(cli: Cli, cifar: str, tmp_path: Path) -> None:
    run = trained(cli, tmp_path / "run", cifar, *SMALL)
    events = read(run)
    written = yaml.safe_load(run.config.read_text())
    shown = yaml.safe_load(pages(events, "configuration")[0])
    for group in ("model", "data", "augment", "trainer", "callbacks"):
        for name, value in written[group].items():
            assert shown[group][name] == value, (group, name)
    assert shown["seed"] == written["seed"]
    assert pages(events, "model") == {0: run.summary.read_text().rstrip()}


def test_hparams_show_settings_beside_metrics_that_were_logged(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    events = read(trained(cli, tmp_path / "run", cifar, *SMALL))
    settings = hparams(events, "session_start_info").session_start_info.hparams
    assert settings["data.batch_size"].number_value == 64
    assert settings["seed"].number_value == 0
    experiment = hparams(events, "experiment").experiment
    first = {info.name for info in experiment.hparam_infos if info.differs}
    assert {"model.name", "data.batch_size", "trainer.accelerator"} <= first
    assert not {"seed", "optimizer.lr", "model.shortcut"} & first
    metrics = [info.name.tag for info in experiment.metric_infos]
    assert sorted(metrics) == ["test/acc", "test/loss", "val/acc", "val/loss"]
    for tag in metrics:
        (event,) = events.Scalars(tag)
        assert event.value >= 0
    assert "hp_metric" not in events.Tags()["scalars"]
    end = hparams(events, "session_end_info").session_end_info
    assert end.status == api_pb2.Status.Value("STATUS_SUCCESS")


def test_a_resumed_run_continues_its_curves_and_shows_its_first_batch_once(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(cli, tmp_path / "whole", cifar, *LONGER)
    part = RunDirectory(tmp_path / "part")
    interrupted(cli, monkeypatch, part.path, cifar, *LONGER)
    stopped = read(part)
    assert "_hparams_/session_start_info" in stopped.summary_metadata
    assert "_hparams_/session_end_info" not in stopped.summary_metadata
    assert cli(f"resume={part.path}").code == 0
    events, expected = read(part), read(whole)
    for name in [*NORMS, "train/loss", "train/acc", "lr", "val/acc", "val/loss", "test/acc"]:
        drawn = [(event.step, event.value) for event in events.Scalars(name)]
        steps, values = zip(*drawn, strict=True)
        assert list(steps) == [event.step for event in expected.Scalars(name)], name
        assert list(values) == pytest.approx(
            [event.value for event in expected.Scalars(name)], rel=1e-4
        )
    assert norms(part).keys() == norms(whole).keys()
    (first,) = events.Images("first_batch")
    assert first.encoded_image_string == expected.Images("first_batch")[0].encoded_image_string
    assert list(pages(events, "configuration")) == [0, 4]


@pytest.mark.parametrize("batch", [64, 100])
def test_a_run_ends_with_the_pictures_of_its_evaluation(
    cli: Cli, evaluate_cli: Cli, cifar: str, tmp_path: Path, batch: int
) -> None:
    run = trained(cli, tmp_path / "run", cifar, *SMALL, f"data.batch_size={batch}")
    done = evaluate_cli(f"run={run.path}", f"batch_size={batch}")
    assert done.code == 0, done.err
    events = read(run)
    for tag, name in (("test/confusion", "confusion"), ("test/worst_mistakes", "worst")):
        (event,) = events.Images(tag)
        drawn = cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
        written = cv2.imread(str(run.path / "evaluation" / f"{name}.png"), cv2.IMREAD_COLOR)
        assert np.array_equal(drawn, written), name


def test_a_run_that_is_not_tested_has_no_pictures_of_it(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    run = trained(cli, tmp_path / "run", cifar, *SMALL, "test_checkpoint=none")
    assert read(run).Tags()["images"] == ["first_batch"]
