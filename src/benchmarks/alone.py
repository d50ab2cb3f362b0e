"""A contender in a process of its own: how soon it takes its first step, how much memory it uses.

The parent starts ``python -m src.benchmark benchmark.mode=alone benchmark.contenders=[NAME]``
and reads what that has written.
"""

import re
import resource
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from src.benchmarks.child import REFUSED, run_python
from src.config import RunFailed, TrainConfig, UserError, as_user_errors
from src.files import read_json, write_json
from src.workflows.hardware import Compute, prepare
from src.workflows.place import hydra_override

RESULT = "alone.json"
STEPS = 3
"""Enough for a step's memory to have reached its height."""


def run_alone(config: TrainConfig, place: Path) -> dict[str, Any]:
    """In the child: take the first steps and write when the first was done, and the memory."""
    (name,) = config.measuring.contenders
    moments: list[float] = []
    # Most people leave the C library as it is.
    compute = prepare(config, memory_is_kept=name != "plain")
    if name == "ours":
        _train(config, compute, place, lambda: moments.append(time.time()))
    else:
        _loop(name, config, compute, lambda: moments.append(time.time()))
    result = {"first_step_at": moments[0], "peak_memory_mib": round(_peak(compute) / 2**20, 1)}
    write_json(place / RESULT, result)
    return result


def _train(config: TrainConfig, compute: Compute, place: Path, done: Callable[[], None]) -> None:
    from src.benchmarks.contenders.ours import Script, stopwatch, train
    from src.workflows.build import build_data

    watch = stopwatch(compute)

    def script() -> Script:
        yield from watch.steps(1)
        done()
        yield from watch.steps(STEPS - 1)

    watch.script = script()
    train(config, build_data(config), compute, watch, place)


def _loop(name: str, config: TrainConfig, compute: Compute, done: Callable[[], None]) -> None:
    from src.data.configured import open_images

    module = import_module(f"src.benchmarks.contenders.{name}")
    kind = {"bare": "Bare", "plain": "Plain"}[name]
    with as_user_errors():
        data = open_images(config.data)
    loop = getattr(module, kind)(config, data, compute.accelerator, compute.precision)
    try:
        loop.run(1)
        done()
        loop.run(STEPS - 1)
    finally:
        loop.close()


def _peak(compute: Compute) -> int:
    """Bytes: of the GPU's memory when it computes, else of the process."""
    if compute.accelerator == "gpu" and torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss would begin with the parent's peak, which Linux carries over.
        (line,) = re.findall(r"VmHWM:\s*(\d+) kB", status.read_text())
        return int(line) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def measure_alone(name: str, words: list[str]) -> tuple[float, float]:
    """In the parent: seconds from the command to the first step done, and peak memory in MiB.

    Args:
        name: a contender.
        words: the settings of the benchmark's own command line.

    Raises:
        UserError: the child refused its settings or its data.
        RunFailed: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        place = Path(folder) / "run"
        command = [
            *("-m", "src.benchmark", *words),
            *("benchmark.mode=alone", f"benchmark.contenders=[{name}]"),
            hydra_override("hydra.run.dir", str(place)),
        ]
        started = time.time()
        done = run_python(command)
        result = read_json(place / RESULT)
        if not result:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            reason = lines[-1].strip().removeprefix("error: ") if lines else "no reason given"
            kind = UserError if done.returncode == REFUSED else RunFailed
            raise kind(f"{name} in a process of its own: {reason}")
    return result["first_step_at"] - started, result["peak_memory_mib"]
