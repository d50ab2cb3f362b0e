"""SGD, Adam, AdamW and custom optimizers, with their parameter groups."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


def with_strides_of(parameter: Tensor, value: Tensor) -> Tensor:
    """`value` with the strides of `parameter` of the same shape; a copy where they differ."""
    if value.stride() == parameter.stride():
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def match_memory_format(optimizer: Optimizer) -> None:
    """Give every state tensor of a parameter's shape the parameter's strides.

    torch's fused kernels walk a weight and its state in memory order without a check: the state of
    a channels-last run, loaded into a run that is not, would be applied to the wrong weights.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = with_strides_of(parameter, value)


def parameter_groups(
    model: nn.Module,
    weight_decay: float,
    decay_on: str = "all",
    *,
    lr: float | None = None,
    bias_lr_factor: float = 1.0,
) -> list[dict[str, Any]]:
    """Group the trainable parameters by weight decay and learning rate.

    Args:
        model: any module; shared parameters appear once, frozen ones not at all.
        weight_decay: 0 or more.
        decay_on: "all" (as in the ResNet paper), "weights" (not norms and biases: parameters of at
            most one dimension; He et al., "Bag of Tricks", section 3.1, arXiv:1812.01187) or
            "convolutions" (their weights alone).
        lr: learning rate; needed only with ``bias_lr_factor``.
        bias_lr_factor: factor of the learning rate of biases, those of norms included. Jordan 2024,
            arXiv:2404.00498, has 64 for short schedules.

    Returns:
        Non-empty groups for a torch optimizer, each with its weight_decay; biases with a factor
        last, with their lr.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trained:
        raise ValueError(
            "the model has no trainable parameters: it has none, or all of them are frozen"
        )
    groups = [
        {"params": members, "weight_decay": decay}
        for members, decay in _by_decay(model, trained, weight_decay, decay_on)
        if members
    ]
    if bias_lr_factor == 1.0:
        return groups
    assert lr is not None
    return _separate_biases(model, groups, lr * bias_lr_factor)


def _by_decay(
    model: nn.Module, trained: list[nn.Parameter], weight_decay: float, decay_on: str
) -> list[tuple[list[nn.Parameter], float]]:
    if decay_on == "all":
        return [(trained, weight_decay)]
    convolutions = {
        id(module.weight)
        for module in model.modules()
        if isinstance(module, nn.modules.conv._ConvNd)
    }
    decays = [p.ndim > 1 if decay_on == "weights" else id(p) in convolutions for p in trained]
    pairs = list(zip(trained, decays, strict=True))
    return [
        ([parameter for parameter, decayed in pairs if decayed], weight_decay),
        ([parameter for parameter, decayed in pairs if not decayed], 0.0),
    ]


def _separate_biases(
    model: nn.Module, groups: list[dict[str, Any]], lr: float
) -> list[dict[str, Any]]:
    """Move the biases of all groups into groups with a learning rate of their own."""
    biases = {
        id(parameter)
        for name, parameter in model.named_parameters()
        if name.rpartition(".")[2] == "bias"
    }

    def part(group: dict[str, Any], wanted: bool) -> dict[str, Any]:
        return group | {"params": [p for p in group["params"] if (id(p) in biases) == wanted]}

    slow = [part(group, False) for group in groups]
    fast = [part(group, True) | {"lr": lr} for group in groups]
    return [group for group in (*slow, *fast) if group["params"]]


# Devices with fused kernels of SGD, Adam and AdamW. On one CPU thread they update a ResNet-18 in
# 17 ms instead of 22 (SGD) and 19 instead of 32 (Adam), equal but for the last two bits.
_FUSED_DEVICES = ("cpu", "cuda")


def _fused(groups: list[dict[str, Any]]) -> bool:
    """Whether torch's fused kernels support all these parameters."""
    parameters = [parameter for group in groups for parameter in group["params"]]
    return all(p.is_floating_point() and p.device.type in _FUSED_DEVICES for p in parameters)


def build_optimizer(
    cls: Callable[..., Optimizer], groups: list[dict[str, Any]], **options: Any
) -> Optimizer:
    """Build a fused optimizer that resumes from a state in any memory format."""
    optimizer: Any = cls(groups, fused=_fused(groups), **options)
    # Gradients must be unscaled before clipping: with fused unscaling Lightning 2.6 refuses to
    # clip.
    optimizer._step_supports_amp_scaling = False
    optimizer.register_load_state_dict_post_hook(match_memory_format)
    return cast(Optimizer, optimizer)


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
    """Stochastic gradient descent; weight decay is an L2 term in the gradient."""
    groups = parameter_groups(model, weight_decay, decay_on, lr=lr, bias_lr_factor=bias_lr_factor)
    return build_optimizer(torch.optim.SGD, groups, lr=lr, momentum=momentum, nesterov=nesterov)


def adam(
    model: nn.Module,
    *,
    lr: float,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decay_on: str = "all",
) -> Optimizer:
    """Adam (arXiv:1412.6980); weight decay is an L2 term in the gradient, and scaled with it."""
    groups = parameter_groups(model, weight_decay, decay_on)
    return build_optimizer(torch.optim.Adam, groups, lr=lr, betas=tuple(betas), eps=eps)


def adamw(
    model: nn.Module,
    *,
    lr: float,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.05,
    decay_on: str = "weights",
) -> Optimizer:
    """Adam with decoupled weight decay, lr * weight_decay a step (arXiv:1711.05101)."""
    groups = parameter_groups(model, weight_decay, decay_on)
    return build_optimizer(torch.optim.AdamW, groups, lr=lr, betas=tuple(betas), eps=eps)


def custom(
    model: nn.Module,
    cls: type[Optimizer],
    *,
    lr: float,
    weight_decay: float | None = None,
    decay_on: str = "all",
    **options: Any,
) -> Optimizer:
    """Build an optimizer of any class; `options` are its own.

    Without `weight_decay` the class's default applies to all parameters.

    Raises:
        ValueError: the class does not accept an option, or has no weight decay.
    """
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
    optimizer.register_load_state_dict_post_hook(match_memory_format)
    return optimizer
