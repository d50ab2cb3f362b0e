"""Muon for what has the shape of a matrix, SGD or AdamW for the rest."""

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from src.training.optimizers.building import build, check_nesterov
from src.training.optimizers.groups import parameter_groups
from src.training.optimizers.matrices import MuonWithAuxiliary, hidden_matrices

__all__ = ["muon"]

RESTS = ("sgd", "adamw")


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
    bias_lr_factor: float = 1.0,
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
        bias_lr_factor: of `rest_lr` for biases, see `parameter_groups`.

    Raises:
        ValueError: an option out of range; nothing to train, or no matrix.
    """
    if rest not in RESTS:
        raise ValueError(f"optimizer.rest must be one of {', '.join(RESTS)}, got {rest!r}")
    if not 1 <= ns_steps <= 99:
        raise ValueError(f"optimizer.ns_steps must be in 1..99, got {ns_steps}")
    check_nesterov(nesterov, momentum)
    chosen = {id(weight) for weight in hidden_matrices(model)}
    if not chosen:
        raise ValueError(
            "optimizer=muon needs a trainable convolution or hidden linear layer, and the model has"
            " none; take optimizer=sgd or adamw"
        )

    def split(wanted: bool) -> list[dict[str, Any]]:
        groups = parameter_groups(
            model, weight_decay, decay_on, lr=rest_lr, bias_lr_factor=bias_lr_factor
        )
        for group in groups:
            group["params"] = [p for p in group["params"] if (id(p) in chosen) == wanted]
        return [group for group in groups if group["params"]]

    def build_rest(groups: list[dict[str, Any]]) -> Optimizer:
        if rest == "adamw":
            return build(torch.optim.AdamW, groups, lr=rest_lr, betas=(rest_momentum, 0.999))
        options = {"momentum": rest_momentum, "nesterov": nesterov and rest_momentum > 0}
        return build(torch.optim.SGD, groups, lr=rest_lr, **options)

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
