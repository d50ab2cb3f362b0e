"""The memory layout of optimizer state follows that of the weights."""

import torch
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["laid_out_as", "match_layouts"]


def laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """Return `value`, copied where its strides are not those of `parameter` of the same shape."""
    if value.stride() == parameter.stride():
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def match_layouts(optimizer: Optimizer) -> None:
    """Lay every state tensor of a parameter's shape out as the parameter is.

    torch's fused kernels walk a weight and its state in memory order and check nothing: the state
    of a channels-last run, loaded into a run that is not, would be applied to the wrong weights.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = laid_out_as(parameter, value)
