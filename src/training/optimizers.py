"""SGD, Adam, AdamW and custom optimizers, with their parameter groups."""

import inspect
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from src.config.optimization import AdamConfig, AdamWConfig, SGDConfig


def with_strides_of(parameter: Tensor, value: Tensor) -> Tensor:
    """``value`` with the strides of ``parameter`` of the same shape; a copy where they differ."""
    if value.stride() == parameter.stride():
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def match_memory_format(optimizer: Optimizer) -> None:
    """Give every state tensor of a parameter's shape the parameter's strides.

    torch's fused kernels walk both in memory order without a check: the state of a channels-last
    run, loaded into a run that is not, would be applied to the wrong weights.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = with_strides_of(parameter, value)


def parameter_groups(
    model: nn.Module,
    weight_decay: float,
    decay_on: str,
    lr: float = 0.0,
    bias_lr_factor: float = 1.0,
) -> list[dict[str, Any]]:
    """Group the trainable parameters by learning rate and weight decay, for a torch optimizer.

    Args:
        decay_on: "all" (as in the ResNet paper), "weights" (of two or more dimensions: no norms and
            biases; He et al., "Bag of Tricks", section 3.1, arXiv:1812.01187) or "convolutions".
        lr: needed only with ``bias_lr_factor``.
        bias_lr_factor: of all biases, norms' too, whose groups then come last. Jordan 2024,
            arXiv:2404.00498, has 64 for short schedules.
    """
    layers = [m for m in model.modules() if isinstance(m, nn.modules.conv._ConvNd)]
    convolutions = {id(layer.weight) for layer in layers}
    groups: list[dict[str, Any]] = [
        {"params": [], "weight_decay": decay, **rate}
        for rate in ({}, {"lr": lr * bias_lr_factor})
        for decay in (weight_decay, 0.0)
    ]
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        decays = {
            "all": True,
            "weights": parameter.ndim > 1,
            "convolutions": id(parameter) in convolutions,
        }
        # The groups are in the order of the rates, each with decay and then without.
        rescaled = bias_lr_factor != 1.0 and name.rpartition(".")[2] == "bias"
        groups[2 * rescaled + (not decays[decay_on])]["params"].append(parameter)
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ValueError("the model has no trainable parameters")
    return groups


def build_fused(
    cls: Callable[..., Optimizer], groups: list[dict[str, Any]], **options: Any
) -> Optimizer:
    """Build a fused optimizer that resumes from a state in any memory format."""
    parameters = [parameter for group in groups for parameter in group["params"]]
    # On one CPU thread fused kernels update a ResNet-18 in 17 ms instead of 22 (SGD) and 19 instead
    # of 32 (Adam), equal but for the last two bits. Other devices and complex numbers have none.
    fused = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters)
    optimizer: Any = cls(groups, fused=fused, **options)
    # With unscaling in the fused kernel Lightning 2.6 refuses to clip gradients.
    optimizer._step_supports_amp_scaling = False
    optimizer.register_load_state_dict_post_hook(match_memory_format)
    return cast(Optimizer, optimizer)


def sgd(model: nn.Module, settings: SGDConfig) -> Optimizer:
    """Stochastic gradient descent; weight decay is an L2 term in the gradient."""
    groups = parameter_groups(
        model, settings.weight_decay, settings.decay_on, settings.lr, settings.bias_lr_factor
    )
    options = {"momentum": settings.momentum, "nesterov": settings.nesterov}
    return build_fused(torch.optim.SGD, groups, lr=settings.lr, **options)


def adam(model: nn.Module, settings: AdamConfig) -> Optimizer:
    """Adam (arXiv:1412.6980), whose weight decay is an L2 term in the gradient, or AdamW.

    AdamW's weight decay is decoupled: lr * weight_decay a step (arXiv:1711.05101).
    """
    cls = torch.optim.AdamW if isinstance(settings, AdamWConfig) else torch.optim.Adam
    groups = parameter_groups(model, settings.weight_decay, settings.decay_on)
    return build_fused(cls, groups, lr=settings.lr, betas=tuple(settings.betas), eps=settings.eps)


def custom(
    model: nn.Module,
    cls: type[Optimizer],
    *,
    weight_decay: float | None = None,
    decay_on: str = "all",
    **options: Any,
) -> Optimizer:
    """Optimizer of any class, whose default of ``weight_decay`` applies unless it is given."""
    name = cls.__name__
    groups = parameter_groups(model, weight_decay or 0.0, decay_on)
    if weight_decay is None:
        groups = [{"params": [p for group in groups for p in group["params"]]}]
    elif weight_decay and "weight_decay" not in inspect.signature(cls).parameters:
        raise ValueError(
            f"optimizer.weight_decay must be 0 for {name}, which has none, got {weight_decay}"
        )
    try:
        optimizer = cls(groups, **options)
    except TypeError as error:
        raise ValueError(f"optimizer._target_={name}: {error}") from error
    optimizer.register_load_state_dict_post_hook(match_memory_format)
    return optimizer
