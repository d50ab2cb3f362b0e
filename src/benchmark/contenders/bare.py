"""Upper bound of the speed: forward, loss, backward and optimizer step over one resident batch."""

from collections.abc import Callable
from typing import NoReturn

import torch
from torch import nn

from src.config.schema import TrainConfig
from src.data.load import open_images
from src.factory import build_backbone, optimizer_factory
from src.training.conv_weight_grad import use_matmul_weight_grad
from src.training.hardware import LOWER, Compute, device_of


class BareLoop:
    """The network, precision, batch size and optimizer of the configuration, and nothing else.

    No data is fetched, nothing is augmented, normalized, measured, logged or scheduled.
    """

    def __init__(self, config: TrainConfig, compute: Compute):
        """Build the network and put one normalized batch on the device."""
        self.device = device_of(compute.accelerator)
        data, self.batch_size = open_images(config.data), config.data.batch_size
        images = torch.tensor(data.train.images[: self.batch_size]).permute(0, 3, 1, 2)
        network = build_backbone(config.model, len(data.classes), images.shape[1])
        layout = torch.channels_last if config.trainer.channels_last else torch.contiguous_format
        self.network = network.to(self.device, memory_format=layout)  # type: ignore[call-overload]
        self.autocast = LOWER.get(compute.precision)
        scaled = compute.precision == "16-mixed"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=scaled)
        if compute.mixed_on_cpu:
            use_matmul_weight_grad(self.network)
        if config.trainer.compile:
            self.network.compile(mode=config.trainer.compile_mode)
        normalized = (images.float() / 255 - 0.5) / 0.25
        self.images = normalized.to(self.device, memory_format=layout)
        self.labels = torch.from_numpy(data.train.labels[: self.batch_size]).to(self.device)
        self.loss = nn.CrossEntropyLoss(label_smoothing=config.run.label_smoothing)
        self.optimizer = optimizer_factory(config.optimizer)(self.network)

    def step(self) -> None:
        """Train on the batch once."""
        enabled = self.autocast is not None
        with torch.autocast(self.device.type, dtype=self.autocast, enabled=enabled):
            loss = self.loss(self.network(self.images).float(), self.labels)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()


def train(config: TrainConfig, compute: Compute, step_done: Callable[[int], None]) -> NoReturn:
    """Train on the same batch for ever."""
    loop = BareLoop(config, compute)
    while True:
        loop.step()
        step_done(loop.batch_size)
