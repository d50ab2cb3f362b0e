"""What TensorBoard shows of a run without any setting: charts, pages, settings."""

import re
import signal
from pathlib import Path

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

from src.runs.directory import RunDirectory
from src.training.callbacks.step_seed import StepSeed
from tests.fixtures.cli import Cli
from tests.fixtures.events import LONGER, NORMS, SMALL, norms, read, trained


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
