"""Protocol of the contenders that are plain loops."""

from typing import Protocol

import torch
from torch import nn

from src.config.schema import TrainConfig
from src.data.types import ImageData
from src.errors import UserError, one_line
from src.factory import build_backbone


class Contender(Protocol):
    """A training loop that can be run a few steps at a time.

    Attributes:
        images: trained on in one step.
        device: where.
    """

    images: int
    device: torch.device

    def run(self, steps: int) -> None:
        """Train for ``steps`` steps and wait until the device has done them."""

    def close(self) -> None:
        """Let go of what the process would otherwise keep until its end."""


def build_network(config: TrainConfig, data: ImageData) -> nn.Module:
    """The configured network without normalisation, found to fit the data.

    Raises:
        UserError: it does not, or a batch is larger than the training set.
    """
    size, images = config.data.batch_size, len(data.train)
    if size > images:
        raise UserError(
            f"data.batch_size={size}: larger than the training set of {images} images; "
            f"choose {images} or less"
        )
    classes = len(data.classes)
    network = build_backbone(config.model, classes, data.train.images.shape[-1])
    example = torch.tensor(data.train.images[:2]).permute(0, 3, 1, 2).float()
    try:
        with torch.no_grad():
            shape = tuple(network.eval()(example).shape)
    except RuntimeError as error:
        raise UserError(f"the network does not take these images: {one_line(error)}") from error
    if shape != (2, classes):
        raise UserError(
            f"the model has {shape[-1]} outputs and the data {classes} classes; "
            "set model.num_classes=null to follow the data"
        )
    return network


def wait_for(device: torch.device) -> None:
    """Return when all work given to the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
