"""What the measuring loop asks of a contender that is a plain loop."""

from typing import Protocol

import torch

from src.config import TrainConfig


class Contender(Protocol):
    """A training loop that can be run a few steps at a time.

    Attributes:
        images: trained on in one step.
    """

    images: int

    def run(self, steps: int) -> None:
        """Train for ``steps`` steps and wait until the device has done them."""


def device_of(accelerator: str) -> torch.device:
    """The device of ``cpu`` or ``gpu``."""
    if accelerator == "cpu":
        return torch.device("cpu")
    return torch.device("cuda" if torch.cuda.is_available() else "mps")


def wait_for(device: torch.device) -> None:
    """Return when all work given to the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def use_threads(config: TrainConfig) -> None:
    """Compute with as many CPU threads as the configuration says."""
    if config.trainer.num_threads:
        torch.set_num_threads(config.trainer.num_threads)
