"""A network and a step of training that take a millisecond."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


def network(channels_last: bool = False) -> nn.Sequential:
    """Build the same small network each time: convolutions, norms and a classifier."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )
    return model.to(memory_format=torch.channels_last) if channels_last else model


def train_step(model: nn.Module, optimizer: Optimizer, seed: int) -> float:
    """Update once on random images; returns the loss before the update."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(8, 3, 8, 8, generator=generator)
    labels = torch.arange(8) % 4
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]
