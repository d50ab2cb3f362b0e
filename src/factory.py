"""Network and optimizer from checked settings, without Lightning."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from torch import nn
from torch.optim import Optimizer

from src.config.schema import Options, ResNetConfig
from src.errors import UserError, as_user_errors, one_line
from src.models.resnet import build_model
from src.training.muon import muon
from src.training.optimizers import adam, custom, sgd


def build_backbone(model: ResNetConfig | Options, classes: int, channels: int) -> nn.Module:
    """Build the network that the settings name."""
    options = dict(model) if isinstance(model, dict) else asdict(model)
    for key, value in (("num_classes", classes), ("in_channels", channels)):
        # A network whose settings lack the key does not take it.
        if options.get(key, 0) in (None, "auto"):
            options[key] = value
    target = options.pop("_target_")
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


# Options of torchvision and timm for pretrained weights, at the values that load none.
_NOT_PRETRAINED: Options = {
    **dict.fromkeys(("checkpoint", "weights", "weights_backbone", "weights_path")),
    "checkpoint_path": "",  # timm 1.0 tests whether it is empty
    "pretrained": False,
}


def without_pretrained_weights(model: ResNetConfig | Options) -> ResNetConfig | Options:
    """The settings of a network whose weights come from a checkpoint, and from nowhere else."""
    if isinstance(model, ResNetConfig):
        return model
    return model | {key: off for key, off in _NOT_PRETRAINED.items() if key in model}


_Make = Callable[..., Optimizer]
_OPTIMIZERS: dict[str, _Make] = {"sgd": sgd, "adam": adam, "adamw": adam, "muon": muon}


def optimizer_factory(settings: Any) -> Callable[[nn.Module], Optimizer]:
    """A function that builds the optimizer of a module."""
    make: _Make
    if isinstance(settings, dict):
        options = {key: value for key, value in settings.items() if key not in ("name", "_target_")}
        if "betas" in options:
            options["betas"] = tuple(options["betas"])
        make = partial(custom, cls=_optimizer_class(settings["_target_"]), **options)
    else:
        make = partial(_OPTIMIZERS[settings.name], settings=settings)

    def build(module: nn.Module) -> Optimizer:
        with as_user_errors(TypeError, ValueError):
            return make(module)

    return build


def _optimizer_class(target: str) -> type[Optimizer]:
    try:
        cls = get_class(target)
    except Exception as error:
        raise UserError(f"optimizer._target_={target}: {one_line(error)}") from error
    if not (isinstance(cls, type) and issubclass(cls, Optimizer)):
        raise UserError(f"optimizer._target_={target}: not a torch.optim.Optimizer")
    if issubclass(cls, torch.optim.LBFGS):
        raise UserError(
            f"optimizer._target_={target}: evaluates several times a step, which training "
            "does not support; choose another optimizer"
        )
    return cls
