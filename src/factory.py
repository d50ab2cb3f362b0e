"""Network, optimizer and schedule from checked settings, without Lightning."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from src.config.schema import ResNetConfig
from src.errors import UserError, as_user_errors, one_line
from src.models.resnet import build_model
from src.training import optimizers
from src.training.muon import muon
from src.training.schedules import build_schedule

if TYPE_CHECKING:
    from src.training.classifier import OptimizerFactory, ScheduleFactory


def build_backbone(model: ResNetConfig | dict[str, Any], classes: int, channels: int) -> nn.Module:
    """Build the network that the settings name."""
    options = dict(model) if isinstance(model, dict) else asdict(model)
    target = options.pop("_target_")
    for key, value in (("num_classes", classes), ("in_channels", channels)):
        # A network whose settings lack the key does not take it.
        if options.get(key, 0) in (None, "auto"):
            options[key] = value
    if isinstance(model, ResNetConfig):
        with as_user_errors():
            return build_model(**options)
    try:
        network = instantiate({"_target_": target, **options})
    except InstantiationException as error:
        reason = one_line(error.__cause__ or error)
        raise UserError(f"model._target_={target}: cannot be built: {reason}") from error
    if not isinstance(network, nn.Module):
        raise UserError(f"model._target_={target}: not a torch.nn.Module")
    return network


_NOT_PRETRAINED: dict[str, Any] = {
    "checkpoint": None,
    "checkpoint_path": "",  # timm 1.0 tests whether it is empty
    "pretrained": False,
    "weights": None,
    "weights_backbone": None,
    "weights_path": None,
}
"""Options of torchvision and timm for pretrained weights, at the values that load none."""


def without_pretrained_weights(
    model: ResNetConfig | dict[str, Any],
) -> ResNetConfig | dict[str, Any]:
    """The settings of a network whose weights come from a checkpoint.

    Pretrained weights would be downloaded, or read from a file that may be gone, for nothing.
    """
    if not isinstance(model, dict):
        return model
    return model | {key: off for key, off in _NOT_PRETRAINED.items() if key in model}


def optimizer_factory(settings: Any) -> "OptimizerFactory":
    """A function that builds the optimizer of a module."""
    options = dict(settings) if isinstance(settings, dict) else asdict(settings)
    name = options.pop("name")
    if "betas" in options:
        options["betas"] = tuple(options["betas"])
    if name == "custom":
        target = options.pop("_target_")
        try:
            cls = get_class(target)
        except Exception as error:
            raise UserError(f"optimizer._target_={target}: {one_line(error)}") from error
        if not (isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)):
            raise UserError(f"optimizer._target_={target}: not a torch.optim.Optimizer")
        if issubclass(cls, torch.optim.LBFGS):
            raise UserError(
                f"optimizer._target_={target}: evaluates several times a step, which training "
                "does not support; choose another optimizer"
            )
        options["cls"] = cls
    make = muon if name == "muon" else getattr(optimizers, name)

    def build(module: nn.Module) -> torch.optim.Optimizer:
        with as_user_errors(TypeError, ValueError):
            return make(module, **options)

    return build


def schedule_factory(settings: Any) -> "ScheduleFactory":
    """A function that builds the learning-rate schedule of an optimizer."""
    options = asdict(settings)
    name = options.pop("name")

    def make(
        optimizer: torch.optim.Optimizer, total_steps: int, steps_per_epoch: int
    ) -> LRScheduler:
        with as_user_errors(ValueError):
            lengths = {"total_steps": total_steps, "steps_per_epoch": steps_per_epoch}
            return build_schedule(optimizer, name, **lengths, **options)

    return make
