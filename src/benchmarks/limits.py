"""What this machine can do at most: arithmetic in matrix products, bytes moved in copies."""

import time
from collections.abc import Callable

import torch

from src.benchmarks.contenders.base import wait_for

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
