"""Stages by depth, and gradients that still carry the scale of a float16 loss."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader

from src.models.resnet import build_model
from src.training.callbacks.gradient_norm_monitor import GradientNormMonitor, stages_by_depth
from src.training.callbacks.metrics_logger import MetricsLogger
from src.training.classifier import ImageClassifier
from tests.training.small_network import network

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec"),
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`"),
]


@dataclass
class Batch:
    images: torch.Tensor
    labels: torch.Tensor
    targets: None = None
    weight: float = 1.0
    step_images: None = None


class Kept(MetricsLogger):
    """Keeps what it was handed to read along."""

    def log_with_next(self, names: list[str], values: torch.Tensor) -> None:
        self.found = dict(zip(names, values.tolist(), strict=True))
        super().log_with_next(names, values)


def measured(fused: bool, scaled: bool) -> dict[str, float]:
    """The gradient norms of one step."""
    module = ImageClassifier(
        network(),
        mean=[0.5] * 3,
        std=[0.25] * 3,
        optimizer=lambda module: torch.optim.SGD(module.parameters(), lr=0.1, fused=fused),
        schedule=lambda optimizer, *_: torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0),
    )
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    precision = MixedPrecision("16-mixed", "cpu", scaler)
    reading = Kept(1)
    trainer = L.Trainer(
        accelerator="cpu",
        max_steps=1,
        plugins=[precision] if scaled else [],
        callbacks=[reading, GradientNormMonitor(reading)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (8, 3, 8, 8), generator=generator)
    one = Batch(images.float(), torch.arange(8) % 4)
    trainer.fit(module, DataLoader([one], batch_size=None))
    return reading.found


@pytest.mark.parametrize("fused", [False, True])
def test_the_scale_of_a_float16_loss_is_taken_out(fused: bool) -> None:
    exact = measured(fused, scaled=False)
    assert list(exact) == [f"gradient_norm/{name}" for name in ("1_0", "2_1", "3_3", "4_6")]
    assert min(exact.values()) > 1e-3
    # 11 bits of each factor.
    assert measured(fused, scaled=True) == pytest.approx(exact, rel=0.05)


def test_measuring_does_not_wait_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen.append(function.name())
            return function(*args, **(kwargs or {}))

    plain = GradientNormMonitor.on_before_optimizer_step

    def watched(*args: Any) -> None:
        with Watch():
            plain(*args)

    monkeypatch.setattr(GradientNormMonitor, "on_before_optimizer_step", watched)
    measured(fused=True, scaled=True)
    assert "aten::stack" in seen
    # What a number on the host is read with.
    assert "aten::_local_scalar_dense" not in seen


def test_stages_are_in_the_order_of_depth_and_hold_every_trained_parameter() -> None:
    backbone = build_model("resnet18", num_classes=10)
    stages = stages_by_depth(backbone)
    assert list(stages) == ["1_stem", "2_layer1", "3_layer2", "4_layer3", "5_layer4", "6_fc"]
    held = [parameter for stage in stages.values() for parameter in stage]
    assert {id(one) for one in held} == {id(one) for one in backbone.parameters()}
    backbone.layer1.requires_grad_(False)
    assert list(stages_by_depth(backbone))[:2] == ["1_stem", "2_layer2"]


def test_other_networks_have_their_own_stages() -> None:
    linear = partial(nn.Linear, 2, 2)
    deep = nn.Sequential(*[linear() for _ in range(11)])
    names = list(stages_by_depth(deep))
    assert names[:2] == ["01_0", "02_1"]
    assert sorted(names) == names
    assert list(stages_by_depth(linear())) == ["1_parameters"]
