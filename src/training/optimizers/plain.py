"""SGD, Adam, AdamW, and any other optimizer class."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from src.training.layouts import match_layouts
from src.training.optimizers.building import build, check_nesterov
from src.training.optimizers.groups import parameter_groups

__all__ = ["adam", "adamw", "custom", "sgd"]


def sgd(
    model: nn.Module,
    *,
    lr: float,
    momentum: float = 0.9,
    nesterov: bool = True,
    weight_decay: float = 5e-4,
    decay_on: str = "all",
    bias_lr_factor: float = 1.0,
) -> Optimizer:
    """Stochastic gradient descent; weight decay is an L2 term in the gradient.

    `bias_lr_factor` is explained at `parameter_groups`.

    Raises:
        ValueError: an option out of range; Nesterov without momentum; nothing to train.
    """
    check_nesterov(nesterov, momentum)
    groups = parameter_groups(model, weight_decay, decay_on, lr=lr, bias_lr_factor=bias_lr_factor)
    return build(torch.optim.SGD, groups, lr=lr, momentum=momentum, nesterov=nesterov)


def adam(
    model: nn.Module,
    *,
    lr: float,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decay_on: str = "all",
) -> Optimizer:
    """Adam (arXiv:1412.6980); weight decay is an L2 term in the gradient, and scaled with it.

    Raises:
        ValueError: an option out of range; nothing to train.
    """
    groups = parameter_groups(model, weight_decay, decay_on)
    return build(torch.optim.Adam, groups, lr=lr, betas=tuple(betas), eps=eps)


def adamw(
    model: nn.Module,
    *,
    lr: float,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.05,
    decay_on: str = "weights",
) -> Optimizer:
    """Adam with decoupled weight decay, lr * weight_decay a step (arXiv:1711.05101).

    Raises:
        ValueError: an option out of range; nothing to train.
    """
    groups = parameter_groups(model, weight_decay, decay_on)
    return build(torch.optim.AdamW, groups, lr=lr, betas=tuple(betas), eps=eps)


def custom(
    model: nn.Module,
    cls: type[Optimizer],
    *,
    lr: float,
    weight_decay: float | None = None,
    decay_on: str = "all",
    **options: Any,
) -> Optimizer:
    """Build any other optimizer class; `options` are its own.

    Without `weight_decay` the class's own default acts on all parameters.

    Raises:
        ValueError: not an optimizer class, an option it does not take or finds out of range, weight
            decay for a class without it, nothing to train.
    """
    if not (isinstance(cls, type) and issubclass(cls, Optimizer)):
        raise ValueError(f"optimizer._target_ must be a torch.optim.Optimizer class, got {cls!r}")
    groups = parameter_groups(model, weight_decay or 0.0, decay_on)
    if weight_decay is None:
        groups = [{"params": [p for group in groups for p in group["params"]]}]
    elif weight_decay and "weight_decay" not in inspect.signature(cls).parameters:
        raise ValueError(
            f"optimizer.weight_decay must be 0 for {cls.__name__}, which has none,"
            f" got {weight_decay}"
        )
    make: Callable[..., Optimizer] = cls
    try:
        optimizer = make(groups, lr=lr, **options)
    except TypeError as error:
        raise ValueError(f"optimizer._target_={cls.__name__}: {error}") from error
    optimizer.register_load_state_dict_post_hook(match_layouts)
    return optimizer
