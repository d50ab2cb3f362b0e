"""Throughput of the contenders, which take turns in one process."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from src.benchmark.contenders.bare import Synthetic
from src.benchmark.contenders.base import Contender
from src.benchmark.contenders.ours import Script, Stopwatch, stopwatch, train
from src.benchmark.contenders.plain import Baseline
from src.benchmark.samples import Samples
from src.config.schema import TrainConfig
from src.train.build import build_data
from src.training.hardware import Compute, default_memory, keep_freed_memory

log = logging.getLogger(__name__)

WARM_UP = 3
"""Steps before anything is measured; the first ones choose and compile kernels."""

FEWEST, MOST = 3, 2000
"""Steps in one measurement."""


def compare_throughput(
    config: TrainConfig, compute: Compute, place: Path, speeds: dict[str, Samples]
) -> None:
    """Add images a second of each contender to ``speeds``, measured in turn, ours first.

    In a round each contender trains for as many steps as take about ``benchmark.seconds``, after
    a fifth as many that are not timed, which bring its memory and caches back. Every other round
    goes the other way about, so that none always follows the same one. All steps are of whole
    batches.

    Raises:
        UserError: the data or the network cannot be had.
    """
    data = build_data(replace(config, data=replace(config.data, drop_last=True)))
    assert data.data is not None
    kinds: dict[str, Callable[..., Contender]] = {"bare": Synthetic, "plain": Baseline}
    loops: dict[str, Contender] = {
        name: kinds[name](config, data.data, compute.accelerator, compute.precision)
        for name in config.benchmark_settings.contenders
        if name in kinds
    }
    speeds |= {name: Samples("images/s") for name in ("ours", *loops)}
    watch = stopwatch(compute)
    watch.script = _rounds(config, watch, loops, speeds)
    try:
        train(config, data, compute, watch, place)
    finally:
        for loop in loops.values():
            loop.close()


def _rounds(
    config: TrainConfig,
    watch: Stopwatch,
    loops: dict[str, Contender],
    speeds: dict[str, Samples],
) -> Script:
    rounds, seconds = config.benchmark_settings.rounds, config.benchmark_settings.seconds
    yield from watch.steps(WARM_UP)
    ours = _as_many((yield from watch.steps(FEWEST)), seconds)
    steps = {name: _warm_up(name, loop, seconds) for name, loop in loops.items()}
    for number in range(1, rounds + 1):
        order = list(speeds) if number % 2 else list(reversed(speeds))
        for name in order:
            if name == "ours":
                yield from watch.steps(_untimed(ours))
                elapsed = yield from watch.steps(ours)
                speed = watch.images / elapsed
            else:
                speed = _measure(name, loops[name], steps[name])
            speeds[name].values.append(speed)
        words = [f"{name} {speeds[name].values[-1]:,.0f}" for name in speeds]
        log.info("round %d/%d, images/s: %s", number, rounds, ", ".join(words))


def _warm_up(name: str, loop: Contender, seconds: float) -> int:
    """The steps of one measurement of a loop."""
    loop.run(WARM_UP)
    return _as_many(FEWEST * loop.images / _measure(name, loop, FEWEST), seconds)


def _as_many(elapsed: float, seconds: float) -> int:
    """How many steps take ``seconds``, when the fewest have taken ``elapsed``."""
    return min(max(round(seconds * FEWEST / elapsed), FEWEST), MOST)


def _untimed(steps: int) -> int:
    """How many steps go before so many timed ones."""
    return max(2, steps // 5)


def _measure(name: str, loop: Contender, steps: int) -> float:
    """Images a second."""
    # Most people leave the C library as it is; on a GPU so do we.
    usual_memory = name == "plain" and loop.device.type == "cpu" and default_memory()
    try:
        loop.run(_untimed(steps))
        start = time.perf_counter()
        loop.run(steps)
        return steps * loop.images / (time.perf_counter() - start)
    finally:
        if usual_memory:
            keep_freed_memory()
