"""Layer-by-layer summary of a network: sizes, parameters and multiply-adds."""

import copy
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from src.errors import one_line

Size = tuple[int, ...]


@dataclass(frozen=True)
class LayerRow:
    """One call of a layer: sizes without the batch dimension, counts for one image."""

    name: str
    type: str
    input_size: Size
    output_size: Size
    parameters: int
    multiply_adds: int

    def as_cells(self) -> tuple[str, ...]:
        sizes = _text(self.input_size), _text(self.output_size)
        return (self.name, self.type, *sizes, f"{self.parameters:,}", f"{self.multiply_adds:,}")


@dataclass(frozen=True)
class ModelSummary:
    """Layers in the order of execution, and totals of the whole network for one image."""

    rows: tuple[LayerRow, ...]
    output_size: Size | None  # without the batch; None when the network returns no tensor
    parameters: int
    trainable: int
    multiply_adds: int

    def as_table(self) -> str:
        header = ("Layer", "Type", "Input", "Output", "Parameters", "Multiply-adds")
        cells = [header, *(row.as_cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        aligned = [f"{{:{side}{width}}}" for side, width in zip("<<<<>>", widths, strict=True)]
        lines = ["  ".join(aligned).format(*line) for line in cells]
        rule = "-" * len(lines[0])
        totals = (
            f"Parameters     {self.parameters:,}",
            f"  trainable    {self.trainable:,}",
            f"Multiply-adds  {self.multiply_adds:,} for one image",
        )
        return "\n".join([lines[0], rule, *lines[1:], rule, *totals])


def summarize(model: nn.Module, input_size: tuple[int, int, int]) -> ModelSummary:
    """Summarize ``model``, which stays as it is, for an image (channels, height, width).

    A row is a layer that has parameters or changes the size. Multiply-adds are those of
    convolutions, matrix products and attention, as in He et al. 2015 (arXiv:1512.03385, table 1).
    Raises ValueError when ``model`` cannot take such an image.
    """
    # First on meta, because on the CPU torch 2.15's FlopCounterMode does not count the fused
    # attention of `nn.MultiheadAttention`; on the CPU for code such as `if x.max() > 1`, which
    # needs values.
    with suppress(Exception):
        return _run(_on_meta(model), input_size)
    try:
        return _run(copy.deepcopy(model), input_size)
    except Exception as error:
        raise ValueError(
            f"the model cannot take an image of {_text(input_size)} (channels x height x width): "
            f"{one_line(error)}"
        ) from error


@torch.no_grad()
def _on_meta(model: nn.Module) -> nn.Module:
    """Copy a network to the meta device; ``Module.to`` copies values and splits shared weights."""
    memo: dict[int, Any] = {
        id(p): nn.Parameter(p.to("meta"), p.requires_grad) for p in model.parameters()
    }
    memo |= {id(buffer): buffer.to("meta") for buffer in model.buffers()}
    return copy.deepcopy(model, memo)


@torch.no_grad()
def _run(model: nn.Module, input_size: Size) -> ModelSummary:
    """Summarize a copy of a network, on which the hooks stay."""
    counter = FlopCounterMode(display=False)
    rows: list[LayerRow] = []
    counted: set[int] = set()  # parameters; a layer that is called twice counts once
    flops = 0  # before the layer

    def begin(*_: object) -> None:
        nonlocal flops
        flops = counter.get_total_flops()

    def record(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        parameters = list(module.parameters())
        sizes = _size(inputs), _size(output)
        if parameters or sizes[0] != sizes[1]:
            count = _count(p for p in parameters if id(p) not in counted)
            counted.update(map(id, parameters))
            work = (counter.get_total_flops() - flops) // 2
            rows.append(LayerRow(name, type(module).__name__, *sizes, count, work))

    for name, module in model.named_modules():
        # Attention is one row, because it does not call its output projection as a module.
        if isinstance(module, nn.MultiheadAttention) or not any(module.children()):
            module.register_forward_pre_hook(begin)
            module.register_forward_hook(partial(record, name))
    first = next(model.parameters(), torch.empty(0))
    image = torch.zeros(1, *input_size, dtype=first.dtype, device=first.device)
    with counter:
        output = model.eval()(image)
    return ModelSummary(
        rows=tuple(rows),
        output_size=tuple(output.shape[1:]) if isinstance(output, Tensor) else None,
        parameters=_count(model.parameters()),
        trainable=_count(p for p in model.parameters() if p.requires_grad),
        multiply_adds=counter.get_total_flops() // 2,
    )


def _size(value: Any) -> Size:
    """Size, without the batch, of the first tensor in ``value``; () without a tensor."""
    if isinstance(value, Tensor):
        return tuple(value.shape[1:])
    if isinstance(value, (tuple, list)):
        return next((size for size in map(_size, value) if size), ())
    return ()


def _count(parameters: Iterable[Tensor]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def _text(size: Size) -> str:
    return "x".join(map(str, size))
