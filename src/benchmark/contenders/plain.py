"""What most people write: PIL, torchvision transforms, a DataLoader, float32, ``.item()``."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from src.config.schema import TrainConfig
from src.data.load import open_images
from src.data.loader import start_worker
from src.factory import build_backbone
from src.training.hardware import Compute, device_of


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


def train(config: TrainConfig, compute: Compute, step_done: Callable[[int], None]) -> None:
    """Train the same network on the same data; crop and flip if they are configured."""
    device = device_of(compute.accelerator)
    data = open_images(config.data)
    height, width, channels = data.train.images.shape[1:]
    transform = _transform(config, height, width, channels)
    loader = DataLoader(
        PILDataset(data.train.images, data.train.labels, transform),
        batch_size=config.data.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=2,
        persistent_workers=True,
        pin_memory=device.type == "cuda",
        worker_init_fn=start_worker,
    )
    network = build_backbone(config.model, len(data.classes), channels).to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    running_loss, correct = 0.0, 0
    try:
        while True:
            for images, labels in loader:
                images, labels = images.to(device), labels.to(device)
                optimizer.zero_grad()
                output = network(images)
                loss = criterion(output, labels)
                loss.backward()
                optimizer.step()
                running_loss += loss.item()
                correct += (output.argmax(1) == labels).sum().item()
                step_done(len(labels))
    finally:
        # Processes that are left to the interpreter's exit leave their directories behind.
        if loader._iterator is not None:
            loader._iterator._shutdown_workers()  # type: ignore[attr-defined]


def _transform(config: TrainConfig, height: int, width: int, channels: int) -> transforms.Compose:
    steps: list[object] = []
    if config.augment.crop_padding:
        steps.append(transforms.RandomCrop((height, width), config.augment.crop_padding))
    if config.augment.flip != "none":
        steps.append(transforms.RandomHorizontalFlip())
    steps += [transforms.ToTensor(), transforms.Normalize([0.5] * channels, [0.25] * channels)]
    return transforms.Compose(steps)
