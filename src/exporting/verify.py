"""Whether an exported file computes what the network does, and how fast."""

import time
from statistics import median

import numpy as np

from src.exporting.engines import Engine, Images

__all__ = ["TOLERANCE", "largest_difference", "milliseconds_per_image"]

TOLERANCE = 1e-4
"""Of the largest logit, in float32."""

BATCHES = (1, 2, 7)
REPEATS = 7


def largest_difference(engine: Engine, network: Engine, images: Images) -> float:
    """The largest difference of logits over the largest logit, for batches of several sizes.

    Args:
        engine: what loaded the file.
        network: what it was made of.
        images: at least 7 of them, (N, C, H, W).
    """
    worst = 0.0
    for size in BATCHES:
        expected, found = network(images[:size]), engine(images[:size])
        if found.shape != expected.shape or not np.isfinite(found).all():
            return float("inf")
        scale = np.abs(expected).max()
        worst = max(worst, float(np.abs(found - expected).max() / scale))
    return worst


def milliseconds_per_image(engine: Engine, images: Images) -> float:
    """The median over a few runs, after one that is not counted."""
    engine(images)
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        engine(images)
        seconds.append(time.perf_counter() - start)
    return 1e3 * median(seconds) / len(images)
