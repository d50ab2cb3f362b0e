"""Upper bound of the speed: forward, loss, backward and optimizer step over one resident batch."""

import torch
from torch import nn

from src.benchmark.contenders.base import build_network, wait_for
from src.config.schema import TrainConfig
from src.data.types import ImageData
from src.factory import optimizer_factory
from src.training.conv_weight_grad import use_matmul_weight_grad
from src.training.hardware import device_of


class Synthetic:
    """The network, precision, batch size and optimizer of the configuration, and nothing else.

    No data is fetched, nothing is augmented, normalised, measured, logged or scheduled.
    """

    def __init__(self, config: TrainConfig, data: ImageData, accelerator: str, precision: str):
        """Build the network and put one normalised batch on the device."""
        self.device = device_of(accelerator)
        self.images = config.data.batch_size
        images = torch.tensor(data.train.images[: self.images]).permute(0, 3, 1, 2)
        network = build_network(config, data)
        layout = torch.channels_last if config.trainer.channels_last else torch.contiguous_format
        self.network = network.to(self.device, memory_format=layout)  # type: ignore[call-overload]
        self.autocast = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "16-mixed")
        if self.device.type == "cpu" and self.autocast is not None:
            use_matmul_weight_grad(self.network)
        if config.trainer.compile:
            self.network.compile(mode=config.trainer.compile_mode)
        normalized = (images.float() / 255 - 0.5) / 0.25
        self.batch = normalized.to(self.device, memory_format=layout)
        self.labels = torch.from_numpy(data.train.labels[: self.images]).to(self.device)
        self.loss = nn.CrossEntropyLoss(label_smoothing=config.run.label_smoothing)
        self.optimizer = optimizer_factory(config.optimizer)(self.network)

    def run(self, steps: int) -> None:
        """Train on the same batch."""
        self.network.train()
        for _ in range(steps):
            self._step()
        wait_for(self.device)

    def close(self) -> None:
        """Nothing to let go of."""

    def _step(self) -> None:
        enabled = self.autocast is not None
        with torch.autocast(self.device.type, dtype=self.autocast, enabled=enabled):
            loss = self.loss(self.network(self.batch).float(), self.labels)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
