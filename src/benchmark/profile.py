"""Operations of a training step by torch.profiler, against the machine's measured limits."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import flop_registry

from src.benchmark.contenders.bare import BareLoop
from src.benchmark.worker import wait_for
from src.config.schema import TrainConfig
from src.training.hardware import Compute

WARM_UP_STEPS, STEPS = 10, 5

SMALL = 0.005
"""Operations below this share of a step are put together."""

MATRIX_SIDE = {"cpu": 2048, "cuda": 8192, "mps": 4096}
COPIED_BYTES = {"cpu": 1 << 28, "cuda": 1 << 31, "mps": 1 << 30}
"""Far more than a cache holds."""

ITEM_SIZE = {"c10::BFloat16": 2, "c10::Half": 2, "unsigned char": 1, "bool": 1, "long int": 8}
"""Bytes, by the profiler's names; 4 for all others, lists of tensors among them."""


@dataclass
class StepProfile:
    """A step's operations and the machine's limits.

    A row stands for the calls on tensors of the same sizes, the slowest first: name (without the
    batch), calls, milliseconds (on the GPU where one computes), gigaflops (1e9 operations of matrix
    products and convolutions), megabytes (1e6 bytes read and written; the result counts as the
    largest input does) and least_milliseconds: the duration if the arithmetic, or the memory
    traffic, were all that it takes.
    """

    rows: pd.DataFrame
    milliseconds: float  # duration of a step while it was profiled
    untouched_milliseconds: float  # duration of a step otherwise
    matrix_rate: float  # 1e9 floating-point operations a second
    bandwidth: float  # 1e9 bytes a second


def profile_step(config: TrainConfig, compute: Compute, trace: Path) -> StepProfile:
    """Profile the bare loop's step, and write its ``trace`` for Perfetto."""
    loop = BareLoop(config, compute)
    _milliseconds(loop.step, loop.device, WARM_UP_STEPS)
    untouched = _milliseconds(loop.step, loop.device, STEPS)
    on_gpu = loop.device.type == "cuda"
    # Kineto reports on stderr that it starts, stops and finds no GPU.
    os.environ.setdefault("KINETO_LOG_LEVEL", "5")
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities, record_shapes=True) as profiler:
        milliseconds = _milliseconds(loop.step, loop.device, STEPS)
    profiler.export_chrome_trace(str(trace))
    matrix_rate, bandwidth = _limits(loop.device, loop.autocast or torch.float32)
    rows = _rows(profiler, on_gpu, milliseconds)
    arithmetic, traffic = rows.gigaflops / matrix_rate, rows.megabytes / 1e3 / bandwidth
    rows["least_milliseconds"] = 1e3 * np.maximum(arithmetic, traffic)
    return StepProfile(rows, milliseconds, untouched, matrix_rate, bandwidth)


def _milliseconds(job: Callable[[], object], device: torch.device, calls: int) -> float:
    """Mean duration of a call."""
    wait_for(device)
    start = time.perf_counter()
    for _ in range(calls):
        job()
    wait_for(device)
    return 1e3 * (time.perf_counter() - start) / calls


def _rows(profiler: profile, on_gpu: bool, milliseconds: float) -> pd.DataFrame:
    # FunctionEvent.input_dtypes is missing in torch 2.11.
    kineto = profiler.profiler.kineto_results.events()  # type: ignore[union-attr]
    types = {event.correlation_id(): event.dtypes() for event in kineto}
    calls = []
    on_cpu = (event for event in profiler.events() or [] if event.device_type == DeviceType.CPU)
    for event in _outermost(event for event in on_cpu if event.cpu_parent is None):
        microseconds = event.device_time_total if on_gpu else event.cpu_time_total
        moved = _bytes(event, types[event.id])
        calls.append((_name(event), 1, microseconds / 1e3, _flops(event) / 1e9, moved / 1e6))
    columns = ["name", "calls", "milliseconds", "gigaflops", "megabytes"]
    operations = pd.DataFrame(calls, columns=columns).groupby("name").sum() / STEPS
    is_small = operations.milliseconds < SMALL * milliseconds
    rows = operations[~is_small].sort_values("milliseconds", ascending=False)
    rows.loc["the rest"] = operations[is_small].sum()
    rows.loc["between operations"] = [0, milliseconds - operations.milliseconds.sum(), 0, 0]
    return rows.reset_index()


def _outermost(events: Iterable[FunctionEvent]) -> Iterator[FunctionEvent]:
    """Operations whose FLOPs torch can count, and other operations or kernels without such."""
    for event in events:
        below = list(_outermost(event.cpu_children))
        is_operation = event.name.startswith("aten::") or event.kernels
        if _flop_counter(event) or (is_operation and not any(map(_flop_counter, below))):
            yield event
        else:
            yield from below


def _flop_counter(event: FunctionEvent) -> Callable[..., int] | None:
    return flop_registry.get(getattr(torch.ops.aten, event.name.removeprefix("aten::"), None))


def _flops(event: FunctionEvent) -> int:
    """Floating-point operations as torch's FlopCounterMode counts them.

    ``with_flops`` of the profiler (torch 2.15) leaves out the backward pass of convolutions.
    """
    count = _flop_counter(event)
    if count is None:
        return 0
    if "convolution" not in event.name:
        return int(count(*filter(None, event.input_shapes)))
    pairs = zip(event.input_shapes, event.concrete_inputs, strict=True)
    arguments = [shape or value for shape, value in pairs]
    output: Any = arguments[1:3]
    if event.name == "aten::convolution":
        images, weight = (torch.empty(shape, device="meta") for shape in arguments[:2])
        output = torch.ops.aten.convolution(images, weight, None, *arguments[3:])
    return int(count(*arguments, out_val=output))


def _bytes(event: FunctionEvent, types: list[str]) -> int:
    # Torch 2.11 has no structured shapes, and none at all for lists of tensors.
    shapes = getattr(event, "structured_input_shapes", event.input_shapes)
    inputs = []
    for shape, kind in zip(shapes, types, strict=False):
        tensors = shape if shape and isinstance(shape[0], list) else [shape]
        elements = sum(prod(tensor) for tensor in tensors if tensor)
        inputs.append(elements * ITEM_SIZE.get(kind, 4))
    return sum(inputs) + max(inputs, default=0)


def _name(event: FunctionEvent) -> str:
    """The operation with the sizes that tell its calls apart, without the batch."""
    name = event.name.removeprefix("aten::").strip("_")
    shapes: Any = [shape for shape in event.input_shapes if shape]
    if name.startswith("convolution"):
        images, weight = shapes[1:3] if name == "convolution_backward" else shapes[:2]
        outputs, channels, *kernel = weight
        return f"{name} {channels}→{outputs}, {_sizes(kernel)} on {_sizes(images[2:])}"
    if name in ("mm", "addmm"):
        return f"{name} {_sizes(shapes[-2])} by {_sizes(shapes[-1])}"
    if shapes and len(shapes[0]) == 4:
        return f"{name} {_sizes(shapes[0][1:])}"
    return name


def _sizes(shape: Iterable[int]) -> str:
    return "×".join(map(str, shape))


def _limits(device: torch.device, dtype: torch.dtype) -> tuple[float, float]:
    """Measure 1e9 operations a second of a matrix product, and 1e9 bytes a second of a copy.

    The fastest of nine calls counts, the one least disturbed by other processes.
    """
    side = MATRIX_SIDE[device.type]
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    source = torch.ones(COPIED_BYTES[device.type], dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    product = min(_milliseconds(lambda: left @ right, device, 1) for _ in range(9))
    copy = min(_milliseconds(lambda: target.copy_(source), device, 1) for _ in range(9))
    return 2 * side**3 / product / 1e6, 2 * source.nbytes / copy / 1e6
