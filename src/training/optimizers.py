"""Optimizers of a model, and which of its parameters weight decay acts on."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from src.training.layouts import match_layouts
from src.training.muon import MuonWithAuxiliary, hidden_matrices

__all__ = ["DECAY_ON", "adam", "adamw", "custom", "muon", "parameter_groups", "sgd"]

DECAY_ON = ("all", "weights", "convolutions")
RESTS = ("sgd", "adamw")

# Where torch has fused kernels for SGD, Adam and AdamW. One thread of a CPU updates a ResNet-18 in
# 17 ms instead of 22 with SGD and 19 instead of 32 with Adam, equal to the last bit or but one.
_FUSED_DEVICES = ("cpu", "cuda")


def parameter_groups(
    model: nn.Module, weight_decay: float, decay_on: str = "all"
) -> list[dict[str, Any]]:
    """Divide the trainable parameters into those that decay and those that do not.

    Args:
        model: any module; a parameter used twice appears once, a frozen one not at all.
        weight_decay: 0 or more.
        decay_on: "all" (as in the ResNet paper), "weights" (not norms and biases: parameters of at
            most one dimension; He et al., "Bag of Tricks", section 3.1, arXiv:1812.01187) or
            "convolutions" (their weights alone).

    Returns:
        One or two groups for a torch optimizer, none of them empty, each with its weight_decay.

    Raises:
        ValueError: an option out of range, or nothing to train.
    """
    if decay_on not in DECAY_ON:
        raise ValueError(
            f"optimizer.decay_on must be one of {', '.join(DECAY_ON)}, got {decay_on!r}"
        )
    if not weight_decay >= 0:
        raise ValueError(f"optimizer.weight_decay must be 0 or more, got {weight_decay}")
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trained:
        raise ValueError("the model has no trainable parameters: every one is frozen, or none is")
    if decay_on == "all":
        return [{"params": trained, "weight_decay": weight_decay}]
    convolutions = {
        id(module.weight)
        for module in model.modules()
        if isinstance(module, nn.modules.conv._ConvNd)
    }
    decays = [p.ndim > 1 if decay_on == "weights" else id(p) in convolutions for p in trained]
    groups = [
        {
            "params": [p for p, decayed in zip(trained, decays, strict=True) if decayed == wanted],
            "weight_decay": weight_decay if wanted else 0.0,
        }
        for wanted in (True, False)
    ]
    return [group for group in groups if group["params"]]


def _fused(groups: list[dict[str, Any]]) -> bool:
    """Tell whether torch's fused kernels can update all these parameters."""
    parameters = [parameter for group in groups for parameter in group["params"]]
    return all(p.is_floating_point() and p.device.type in _FUSED_DEVICES for p in parameters)


def _build(
    cls: Callable[..., Optimizer], groups: list[dict[str, Any]], **options: Any
) -> Optimizer:
    """Build a fused optimizer that resumes whatever the memory format was before."""
    optimizer = cls(groups, fused=_fused(groups), **options)
    optimizer.register_load_state_dict_post_hook(match_layouts)
    return optimizer


def _check_nesterov(nesterov: bool, momentum: float) -> None:
    if nesterov and not momentum > 0:
        raise ValueError(
            f"optimizer.nesterov=true needs optimizer.momentum above 0, got {momentum}"
        )


def sgd(
    model: nn.Module,
    *,
    lr: float,
    momentum: float = 0.9,
    nesterov: bool = True,
    weight_decay: float = 5e-4,
    decay_on: str = "all",
) -> Optimizer:
    """Stochastic gradient descent; weight decay is an L2 term in the gradient.

    Raises:
        ValueError: an option out of range; Nesterov without momentum; nothing to train.
    """
    _check_nesterov(nesterov, momentum)
    groups = parameter_groups(model, weight_decay, decay_on)
    return _build(torch.optim.SGD, groups, lr=lr, momentum=momentum, nesterov=nesterov)


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
    return _build(torch.optim.Adam, groups, lr=lr, betas=tuple(betas), eps=eps)


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
    return _build(torch.optim.AdamW, groups, lr=lr, betas=tuple(betas), eps=eps)


def muon(
    model: nn.Module,
    *,
    lr: float = 0.02,
    momentum: float = 0.95,
    nesterov: bool = True,
    weight_decay: float = 5e-4,
    decay_on: str = "weights",
    ns_steps: int = 5,
    adjust_lr_fn: str = "original",
    rest: str = "sgd",
    rest_lr: float = 0.1,
    rest_momentum: float = 0.9,
) -> MuonWithAuxiliary:
    """Muon for convolutions and hidden matrices (`hidden_matrices`), SGD or AdamW for the rest.

    Muon's and AdamW's weight decay is decoupled (lr * weight_decay a step), SGD's an L2 term.

    Args:
        model: has a convolution, or at least two linear layers.
        lr: of Muon; the length of an update in its spectral norm, not in the scale of the gradient.
        momentum: of Muon.
        nesterov: of Muon, and of the rest's SGD when that has momentum.
        weight_decay: of both.
        decay_on: see `parameter_groups`.
        ns_steps: Newton-Schulz iterations, 1..99.
        adjust_lr_fn: how `lr` goes with the shape of a matrix, as in `torch.optim.Muon`:
            "original" or "match_rms_adamw".
        rest: "sgd" or "adamw".
        rest_lr: of the rest; 0.1 suits SGD, AdamW wants about 1e-3.
        rest_momentum: of the rest's SGD; the first beta of its AdamW.

    Raises:
        ValueError: an option out of range; nothing to train, or no matrix.
    """
    if rest not in RESTS:
        raise ValueError(f"optimizer.rest must be one of {', '.join(RESTS)}, got {rest!r}")
    if not 1 <= ns_steps <= 99:
        raise ValueError(f"optimizer.ns_steps must be in 1..99, got {ns_steps}")
    _check_nesterov(nesterov, momentum)
    chosen = {id(weight) for weight in hidden_matrices(model)}
    if not chosen:
        raise ValueError(
            "optimizer=muon needs a trainable convolution or hidden linear layer, and the model has"
            " none; take optimizer=sgd or adamw"
        )

    def split(wanted: bool) -> list[dict[str, Any]]:
        groups = parameter_groups(model, weight_decay, decay_on)
        for group in groups:
            group["params"] = [p for p in group["params"] if (id(p) in chosen) == wanted]
        return [group for group in groups if group["params"]]

    def build_rest(groups: list[dict[str, Any]]) -> Optimizer:
        if rest == "adamw":
            return _build(torch.optim.AdamW, groups, lr=rest_lr, betas=(rest_momentum, 0.999))
        options = {"momentum": rest_momentum, "nesterov": nesterov and rest_momentum > 0}
        return _build(torch.optim.SGD, groups, lr=rest_lr, **options)

    return MuonWithAuxiliary(
        split(True),
        build_rest,
        split(False),
        lr=lr,
        momentum=momentum,
        nesterov=nesterov,
        ns_steps=ns_steps,
        adjust_lr_fn=adjust_lr_fn,
    )


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
    build: Callable[..., Optimizer] = cls
    try:
        optimizer = build(groups, lr=lr, **options)
    except TypeError as error:
        raise ValueError(f"optimizer._target_={cls.__name__}: {error}") from error
    optimizer.register_load_state_dict_post_hook(match_layouts)
    return optimizer
