"""What most people write: PIL, torchvision transforms, a DataLoader, float32, ``.item()``."""

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from src.benchmark.contenders.base import build_network, wait_for
from src.config.schema import TrainConfig
from src.data.loader import start_worker
from src.data.types import ImageData
from src.training.hardware import device_of

WORKERS = 2


class PILDataset(Dataset[tuple[Tensor, int]]):
    """An image at a time, as ``torchvision.datasets.CIFAR10`` gives them."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: transforms.Compose):
        """Serve uint8 images (N, H, W, C)."""
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = self.images[index]
        image = Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0])
        return self.transform(image), int(self.labels[index])


class Baseline:
    """The usual script: same network, batch size and data; crop and flip if they are configured."""

    def __init__(self, config: TrainConfig, data: ImageData, accelerator: str, precision: str):
        """Build the network, the optimizer and the loader; ``precision`` plays no part."""
        self.device = device_of(accelerator)
        self.images = config.data.batch_size
        self.network = build_network(config, data).to(self.device)
        self.loss = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4
        )
        self.loader = DataLoader(
            PILDataset(data.train.images, data.train.labels, _transform(config, data)),
            batch_size=self.images,
            shuffle=True,
            drop_last=True,
            num_workers=WORKERS,
            persistent_workers=True,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=start_worker,
        )
        self.batches = self._endless()
        self.running_loss, self.correct = 0.0, 0

    def run(self, steps: int) -> None:
        """Train on the next batches."""
        self.network.train()
        for _ in range(steps):
            images, labels = (part.to(self.device) for part in next(self.batches))
            self.optimizer.zero_grad()
            output = self.network(images)
            loss = self.loss(output, labels)
            loss.backward()
            self.optimizer.step()
            self.running_loss += loss.item()
            self.correct += (output.argmax(1) == labels).sum().item()
        wait_for(self.device)

    def close(self) -> None:
        """End the loader's processes, which otherwise leave their directories behind."""
        if self.loader._iterator is not None:
            self.loader._iterator._shutdown_workers()  # type: ignore[attr-defined]

    def _endless(self) -> Iterator[list[Tensor]]:
        while True:
            yield from self.loader


def _transform(config: TrainConfig, data: ImageData) -> transforms.Compose:
    height, width, channels = data.train.images.shape[1:]
    steps: list[object] = []
    if config.augment.crop_padding:
        steps.append(transforms.RandomCrop((height, width), config.augment.crop_padding))
    if config.augment.flip != "none":
        steps.append(transforms.RandomHorizontalFlip())
    steps += [transforms.ToTensor(), transforms.Normalize([0.5] * channels, [0.25] * channels)]
    return transforms.Compose(steps)
