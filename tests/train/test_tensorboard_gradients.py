"""The norm of the gradient at each depth, beside the other figures of a step."""

import re
from pathlib import Path

import pytest
import torch

from src.runs.reader import read_rows
from src.training.callbacks import gradient_norm_monitor
from src.training.callbacks.step_seed import StepSeed
from tests.fixtures.cli import Cli
from tests.fixtures.events import LONGER, NORMS, SMALL, STAGES, norms, read, trained, weights


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
    plain = gradient_norm_monitor.gradient_norm
    monkeypatch.setattr(
        gradient_norm_monitor, "gradient_norm", lambda stage: calls.append(stage) or plain(stage)
    )
    run = trained(cli, tmp_path / "run", cifar, *LONGER)
    losses = [int(row["step"]) for row in read_rows(run) if "train/loss" in row]
    # Every fourth step, counted from 0, also across the end of an epoch of 6.
    assert list(norms(run)) == losses == [3, 7, 11]
    assert len(calls) == 3 * len(STAGES)
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
    monkeypatch.delattr(gradient_norm_monitor, "gradient_norm")
    plain = trained(cli, tmp_path / "plain", *words, "logger=csv")
    assert not list(plain.path.glob("events.out.*"))
    assert not norms(plain)
    assert full.keys() == weights(plain).keys()
    for name, tensor in weights(plain).items():
        assert torch.equal(tensor, full[name]), name
