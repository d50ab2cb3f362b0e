"""Layer-by-layer summary of a network: sizes, parameters and multiply-adds."""

import copy
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from src.errors import one_line
from src.text import check_at_least_one

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


@dataclass(frozen=True)
class ModelSummary:
    """Layers in the order of execution, and totals of the whole network for one image.

    The totals include operations outside of layers, such as a position embedding. `output_size` has
    no batch dimension; it is None when the network does not return a tensor.
    """

    rows: tuple[LayerRow, ...]
    output_size: Size | None
    parameters: int
    trainable: int
    multiply_adds: int

    def as_table(self) -> str:
        """Aligned text table with a line for each layer, and the totals."""
        header = ("Layer", "Type", "Input", "Output", "Parameters", "Multiply-adds")
        cells = [header, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[column]) for line in cells) for column in range(len(header))]
        lines = [_aligned(line, widths) for line in cells]
        rule = "-" * len(lines[0])
        totals = (
            f"Parameters     {self.parameters:,}",
            f"  trainable    {self.trainable:,}",
            f"Multiply-adds  {self.multiply_adds:,} for one image",
        )
        return "\n".join([lines[0], rule, *lines[1:], rule, *totals])


def summarize(model: nn.Module, input_size: tuple[int, int, int]) -> ModelSummary:
    """Summarize `model`, which stays as it is, for an image (channels, height, width).

    A row is a layer that has parameters or changes the size. Multiply-adds are those of
    convolutions, matrix products and attention; elementwise operations (norms, activations,
    pooling) are not counted, as in He et al. 2015 (arXiv:1512.03385, table 1). Raises ValueError
    when `model` cannot take such an image.
    """
    channels, height, width = input_size
    check_at_least_one(channels=channels, height=height, width=width)
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
    """Copy a network to the meta device; `Module.to` would copy values and split shared weights."""
    memo: dict[int, Any] = {
        id(p): nn.Parameter(p.to("meta"), p.requires_grad) for p in model.parameters()
    }
    memo |= {id(buffer): buffer.to("meta") for buffer in model.buffers()}
    return copy.deepcopy(model, memo)


@torch.no_grad()
def _run(model: nn.Module, input_size: Size) -> ModelSummary:
    """Summarize a copy of a network, on which the hooks stay, by one forward pass."""
    counter = FlopCounterMode(display=False)
    rows: list[LayerRow] = []
    counted: set[int] = set()  # parameters; a layer that is called twice counts once
    start = 0

    def multiply_adds() -> int:
        return counter.get_total_flops() // 2

    def before(*_: object) -> None:
        nonlocal start
        start = multiply_adds()

    def after(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def record(module: nn.Module, inputs: Any, output: Any) -> None:
            parameters = list(module.parameters())
            sizes = _size(inputs), _size(output)
            if parameters or sizes[0] != sizes[1]:
                count = _count(p for p in parameters if id(p) not in counted)
                counted.update(map(id, parameters))
                work = multiply_adds() - start
                rows.append(LayerRow(name, type(module).__name__, *sizes, count, work))

        return record

    for name, module in model.named_modules():
        # Attention is one row, because it does not call its output projection as a module.
        if isinstance(module, nn.MultiheadAttention) or not any(module.children()):
            module.register_forward_pre_hook(before)
            module.register_forward_hook(after(name))
    first = next(model.parameters(), torch.empty(0))
    image = torch.zeros(1, *input_size, dtype=first.dtype, device=first.device)
    with counter:
        output = model.eval()(image)
    return ModelSummary(
        rows=tuple(rows),
        output_size=tuple(output.shape[1:]) if isinstance(output, Tensor) else None,
        parameters=_count(model.parameters()),
        trainable=_count(p for p in model.parameters() if p.requires_grad),
        multiply_adds=multiply_adds(),
    )


def _size(value: Any) -> Size:
    """Size, without the batch, of the first tensor in `value`; () without a tensor."""
    if isinstance(value, Tensor):
        return tuple(value.shape[1:])
    if isinstance(value, (tuple, list)):
        return next((size for size in map(_size, value) if size), ())
    return ()


def _count(parameters: Iterable[Tensor]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def _text(size: Size) -> str:
    return "x".join(map(str, size))


def _cells(row: LayerRow) -> tuple[str, ...]:
    sizes = _text(row.input_size), _text(row.output_size)
    return (row.name, row.type, *sizes, f"{row.parameters:,}", f"{row.multiply_adds:,}")


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    """Align four columns of text to the left and two of numbers to the right."""
    padded = [
        cell.ljust(width) if column < 4 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(padded)
