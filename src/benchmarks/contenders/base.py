"""What the measuring loop asks of a contender that is a plain loop."""

from typing import Protocol

import torch


class Contender(Protocol):
    """A training loop that can be run a few steps at a time.

    Attributes:
        images: trained on in one step.
    """

    images: int

    def run(self, steps: int) -> None:
        """Train for ``steps`` steps and wait until the device has done them."""


def wait_for(device: torch.device) -> None:
    """Return when all work given to the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
