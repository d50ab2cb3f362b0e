"""Which parameters an optimizer treats alike: weight decay, and the learning rate of biases."""

from typing import Any

from torch import nn

__all__ = ["DECAY_ON", "parameter_groups"]

DECAY_ON = ("all", "weights", "convolutions")


def parameter_groups(
    model: nn.Module,
    weight_decay: float,
    decay_on: str = "all",
    *,
    lr: float | None = None,
    bias_lr_factor: float = 1.0,
) -> list[dict[str, Any]]:
    """Divide the trainable parameters by whether they decay and by how fast they learn.

    Args:
        model: any module; a parameter used twice appears once, a frozen one not at all.
        weight_decay: 0 or more.
        decay_on: "all" (as in the ResNet paper), "weights" (not norms and biases: parameters of at
            most one dimension; He et al., "Bag of Tricks", section 3.1, arXiv:1812.01187) or
            "convolutions" (their weights alone).
        lr: the learning rate; needed with ``bias_lr_factor`` alone.
        bias_lr_factor: of the learning rate of biases, those of norms included. Jordan 2024,
            arXiv:2404.00498, has 64 for short schedules.

    Returns:
        Groups for a torch optimizer, none of them empty, each with its weight_decay; biases with
        a factor last, with their lr.

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
    groups = [
        {"params": members, "weight_decay": decay}
        for members, decay in _by_decay(model, trained, weight_decay, decay_on)
        if members
    ]
    if bias_lr_factor == 1.0:
        return groups
    assert lr is not None
    return _biases_apart(model, groups, lr * bias_lr_factor)


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


def _biases_apart(
    model: nn.Module, groups: list[dict[str, Any]], lr: float
) -> list[dict[str, Any]]:
    """Take the biases out of groups, into groups of their own with their learning rate."""
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
