"""A layer-by-layer summary of any network: sizes, parameters and multiply-adds."""

import copy
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from src.text import check_at_least_one, in_one_line

Size = tuple[int, ...]


@dataclass(frozen=True)
class LayerRow:
    """A layer as it was run: sizes without the batch dimension, counts for one image."""

    name: str
    type: str
    input_size: Size
    output_size: Size
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class ModelSummary:
    """The layers in the order of execution, and the totals of the whole network for one image.

    The totals count what happens outside the layers too, such as a position embedding.
    `output_size` is what the network returns, without the batch; None when that is no tensor.
    """

    rows: tuple[LayerRow, ...]
    output_size: Size | None
    parameters: int
    trainable: int
    multiply_adds: int

    def as_table(self) -> str:
        """Return an aligned text table, a line a layer, that ends with the totals."""
        header = ("Layer", "Type", "Input", "Output", "Parameters", "Multiply-adds")
        cells = [header, *(_cells(row) for row in self.rows)]
        parameters = self.parameters - sum(row.parameters for row in self.rows)
        multiply_adds = self.multiply_adds - sum(row.multiply_adds for row in self.rows)
        if parameters or multiply_adds:
            cells.append(("(elsewhere)", "", "", "", f"{parameters:,}", f"{multiply_adds:,}"))
        widths = [max(len(line[column]) for line in cells) for column in range(len(header))]
        lines = [_aligned(line, widths) for line in cells]
        rule = "-" * max(len(line) for line in lines)
        totals = (
            f"Parameters     {self.parameters:,}",
            f"  trainable    {self.trainable:,}",
            f"Multiply-adds  {self.multiply_adds:,} for one image",
        )
        return "\n".join([lines[0], rule, *lines[1:], rule, *totals])


Measured = tuple[tuple[LayerRow, ...], Size | None, int]
"""Layers, output size, multiply-adds."""


def summarize(model: nn.Module, input_size: tuple[int, int, int]) -> ModelSummary:
    """Summarise `model` for an image of `input_size` (channels, height, width).

    A row is a layer that has parameters or changes the size. Multiply-adds are those of
    convolutions, matrix products and attention; what is done a value at a time (norms,
    activations, pooling) is not counted, as in the figures of He et al. 2015 (arXiv:1512.03385,
    table 1). `model` is not touched and nothing is computed: a copy with fake tensors, which have
    shapes but no data, runs once in evaluation mode; a real copy does so only when the code of
    `model` depends on values. Raises ValueError when `model` cannot take such an image.
    """
    channels, height, width = input_size
    check_at_least_one(channels=channels, height=height, width=width)
    try:
        rows, output_size, multiply_adds = _measure(model, input_size)
    except Exception as error:
        raise ValueError(
            f"the model cannot take an image of {_text(input_size)} (channels x height x width): "
            f"{in_one_line(error)}"
        ) from error
    return ModelSummary(
        rows=rows,
        output_size=output_size,
        parameters=_count(model.parameters()),
        trainable=_count(p for p in model.parameters() if p.requires_grad),
        multiply_adds=multiply_adds,
    )


def _measure(model: nn.Module, input_size: Size) -> Measured:
    """Run a copy of `model`, of fake tensors if they will do; return what `_run` does."""
    # Half a second to import, which who only builds a model need not pay.
    from torch._subclasses import fake_tensor

    fake_mode = fake_tensor.FakeTensorMode(allow_non_fake_inputs=True)
    # Copying "finds" the fakes in the memo, so not even one real weight is duplicated.
    tensors = [*model.parameters(), *model.buffers()]
    fake = copy.deepcopy(model, {id(t): fake_mode.from_tensor(t) for t in tensors})
    try:
        with fake_mode, _silent(fake_tensor.__name__):
            return _run(fake, input_size)
    except (
        fake_tensor.DataDependentOutputException,
        fake_tensor.DynamicOutputShapeException,
        fake_tensor.UnsupportedFakeTensorException,
    ):
        # Code such as `if x.max() > 1` asks for values, and fakes have none.
        return _run(copy.deepcopy(model), input_size)


@contextmanager
def _silent(logger: str) -> Iterator[None]:
    """Keep a logger from printing the traceback of an error that is raised as well."""
    log = logging.getLogger(logger)
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


@contextmanager
def _unfused_attention() -> Iterator[None]:
    """Let attention take its steps one by one: the counter does not know the fused one."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _run(model: nn.Module, input_size: Size) -> Measured:
    """Run `model`, a copy that may be spoilt, once; return layers, output size, multiply-adds."""
    from torch.utils.flop_counter import FlopCounterMode

    rng, counter = torch.random.fork_rng(devices=[]), FlopCounterMode(display=False)
    with rng, counter, torch.no_grad(), _unfused_attention():
        recorder = _Recorder(model.eval(), lambda: counter.get_total_flops() // 2)
        first = next(iter(model.parameters()), torch.empty(0))
        image = torch.zeros(1, *input_size, dtype=first.dtype, device=first.device)
        output = model(image)
        output_size = tuple(output.shape[1:]) if isinstance(output, Tensor) else None
        return tuple(recorder.rows), output_size, counter.get_total_flops() // 2


class _Recorder:
    """Hooks that turn each call of a layer into a row."""

    def __init__(self, model: nn.Module, multiply_adds_so_far: Callable[[], int]) -> None:
        self.rows: list[LayerRow] = []
        self._so_far = multiply_adds_so_far
        self._start = 0
        self._counted: set[int] = set()
        for name, module in model.named_modules():
            if _is_layer(module):
                module.register_forward_pre_hook(self._before)
                module.register_forward_hook(self._after(name))

    def _before(self, *_: object) -> None:
        self._start = self._so_far()

    def _after(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def record(module: nn.Module, inputs: Any, output: Any) -> None:
            input_size, output_size = _size(inputs), _size(output)
            has_parameters = any(True for _ in module.parameters())
            if not has_parameters and input_size == output_size:
                return
            # A layer that is called twice has its parameters counted once.
            fresh = [p for p in module.parameters() if id(p) not in self._counted]
            self._counted.update(id(p) for p in fresh)
            done = self._so_far() - self._start
            kind = type(module).__name__
            self.rows.append(LayerRow(name, kind, input_size, output_size, _count(fresh), done))

        return record


def _is_layer(module: nn.Module) -> bool:
    """Tell whether `module` is a row: attention is one, because it never calls its own part."""
    return isinstance(module, nn.MultiheadAttention) or not any(True for _ in module.children())


def _size(value: Any) -> Size:
    """Return the size, without the batch, of the first tensor in `value`; () if there is none."""
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
    """Align the four columns of text to the left and the two of numbers to the right."""
    padded = [
        cell.ljust(width) if column < 4 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(padded)
