"""Time of each operation of a training step, against the machine's measured limits."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from src.benchmark.contenders.bare import Synthetic
from src.benchmark.contenders.base import wait_for
from src.config.schema import TrainConfig
from src.data.load import open_images
from src.errors import as_user_errors
from src.training.hardware import Compute

SIDE = {"cpu": 2048, "cuda": 8192, "mps": 4096}
COPIED = {"cpu": 1 << 28, "cuda": 1 << 31, "mps": 1 << 30}
"""Bytes: far more than a cache holds."""

REPEATS = 9


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second in a product of two square matrices."""
    side = SIDE[device.type]
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / _fastest(lambda: left @ right, device)


def bandwidth(device: torch.device) -> float:
    """Bytes read and written a second by a copy within the device's memory."""
    source = torch.ones(COPIED[device.type], dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    return 2 * source.nbytes / _fastest(lambda: target.copy_(source), device)


def _fastest(job: Callable[[], object], device: torch.device) -> float:
    """Seconds: what other work on the machine disturbed least."""
    seconds = []
    for _ in range(REPEATS):
        wait_for(device)
        start = time.perf_counter()
        job()
        wait_for(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


WARM_UP, STEPS = 10, 10
MANY = 10
"""Inputs of an operation over a list of tensors, which has no size."""

SMALL = 0.005
"""Operations below this share of a step are put together."""


@dataclass
class Row:
    """One kind of operation, over a step.

    Attributes:
        name: the operation and the sizes it works on, the batch left out.
        calls: a step.
        milliseconds: a step.
        gigaflops: floating-point operations of its products, in 1e9; 0 for other operations.
        megabytes: of all tensors it reads and writes, in 1e6.
    """

    name: str
    calls: float = 0.0
    milliseconds: float = 0.0
    gigaflops: float = 0.0
    megabytes: float = 0.0

    def add(self, other: "Row") -> None:
        """Take in another kind."""
        self.calls += other.calls
        self.milliseconds += other.milliseconds
        self.gigaflops += other.gigaflops
        self.megabytes += other.megabytes


@dataclass
class Profile:
    """A step's operations and the machine's limits.

    Attributes:
        rows: the largest first, the smallest together at the end.
        milliseconds: of a step while its operations were timed.
        untouched_milliseconds: of a step otherwise.
        matrix_rate: 1e9 floating-point operations a second.
        bandwidth: 1e9 bytes a second.
    """

    rows: list[Row]
    milliseconds: float
    untouched_milliseconds: float
    matrix_rate: float
    bandwidth: float

    def least_milliseconds(self, row: Row) -> float:
        """What a row would take if only its arithmetic, or only its bytes, held it up."""
        return 1e3 * max(row.gigaflops / self.matrix_rate, row.megabytes / 1e3 / self.bandwidth)

    def as_json(self) -> dict[str, Any]:
        """Every figure."""
        rows = [
            {**asdict(row), "least_milliseconds": self.least_milliseconds(row)} for row in self.rows
        ]
        return {**asdict(self), "rows": rows}


@dataclass
class _Timer(TorchDispatchMode):
    """Times every operation that torch dispatches, forward and backward."""

    device: torch.device
    rows: dict[str, Row] = field(default_factory=lambda: defaultdict(lambda: Row("")))

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        wait_for(self.device)
        start = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        wait_for(self.device)
        elapsed = time.perf_counter() - start
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        count = flop_registry.get(func.overloadpacket)
        flops = count(*args, **(kwargs or {}), out_val=result) if count else 0
        row = self.rows[_name(func, inputs)]
        moved = sum(tensor.nbytes for tensor in inputs + outputs)
        row.add(Row("", 1, 1e3 * elapsed, flops / 1e9, moved / 1e6))
        return result


def _name(func: Any, inputs: list[Tensor]) -> str:
    """The operation with what tells its calls apart: sizes without the batch."""
    name = str(func.overloadpacket).removeprefix("aten.").strip("_")
    if name.startswith("convolution"):
        images, weight = inputs[-2:] if name == "convolution_backward" else inputs[:2]
        outputs, channels, height, width = weight.shape
        size = _sizes(images.shape[2:])
        return f"{name} {channels}→{outputs}, {height}×{width} on {size}"
    if name in ("mm", "addmm"):
        return f"{name} {_sizes(inputs[-2].shape)} by {_sizes(inputs[-1].shape)}"
    if inputs and inputs[0].ndim == 4 and len(inputs) < MANY:
        return f"{name} {_sizes(inputs[0].shape[1:])}"
    return name


def _sizes(shape: Iterable[int]) -> str:
    return "×".join(map(str, shape))


def measure_operations(config: TrainConfig, compute: Compute) -> Profile:
    """Time the operations of the bare loop's step (:mod:`src.benchmark.contenders.bare`).

    Raises:
        UserError: the data or the network cannot be had.
    """
    with as_user_errors():
        data = open_images(config.data)
    loop = Synthetic(config, data, compute.accelerator, compute.precision)
    loop.run(WARM_UP)
    untouched = _milliseconds(loop)
    with _Timer(loop.device) as timer:
        timed = _milliseconds(loop)
    rows = []
    for name, row in timer.rows.items():
        per_step = (row.calls, row.milliseconds, row.gigaflops, row.megabytes)
        rows.append(Row(name, *(value / STEPS for value in per_step)))
    return Profile(
        _largest(rows, timed),
        timed,
        untouched,
        matrix_rate(loop.device, loop.autocast or torch.float32) / 1e9,
        bandwidth(loop.device) / 1e9,
    )


def _milliseconds(loop: Synthetic) -> float:
    start = time.perf_counter()
    loop.run(STEPS)
    return 1e3 * (time.perf_counter() - start) / STEPS


def _largest(rows: list[Row], milliseconds: float) -> list[Row]:
    rows.sort(key=lambda row: -row.milliseconds)
    shown = [row for row in rows if row.milliseconds >= SMALL * milliseconds]
    rest = Row("the rest")
    for row in rows[len(shown) :]:
        rest.add(row)
    between = Row("between operations", 1, milliseconds - sum(row.milliseconds for row in rows))
    return [*shown, rest, between]
