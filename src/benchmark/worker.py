"""One contender in a process of its own: time to its first step, and peak memory.

The parent starts ``python -m src.benchmark benchmark.mode=alone benchmark.contenders=[NAME]``
and reads what that has written.
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from src.config.overrides import hydra_override
from src.config.schema import TrainConfig
from src.errors import RunFailed, UserError, as_user_errors
from src.files import read_json, write_json
from src.training.hardware import Compute, prepare

REFUSED = 2
"""The exit code of a command that something the user can put right has stopped."""


def run_python(words: list[str]) -> subprocess.CompletedProcess[str]:
    """``python WORDS`` to its end, its output kept, as it would run from a shell."""
    # Set by our own launch, it would turn the child's one-line errors into tracebacks.
    environment = {key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"}
    command = [sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


RESULT = "alone.json"
STEPS = 3
"""Enough for a step's memory to have reached its height."""


def run_alone(config: TrainConfig, place: Path) -> dict[str, Any]:
    """In the child: take the first steps and write when the first was done, and the memory."""
    (name,) = config.benchmark_settings.contenders
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
    from src.benchmark.contenders.ours import Script, stopwatch, train
    from src.train.build import build_data

    watch = stopwatch(compute)

    def script() -> Script:
        yield from watch.steps(1)
        done()
        yield from watch.steps(STEPS - 1)

    watch.script = script()
    train(config, build_data(config), compute, watch, place)


def _loop(name: str, config: TrainConfig, compute: Compute, done: Callable[[], None]) -> None:
    from src.data.load import open_images

    module = import_module(f"src.benchmark.contenders.{name}")
    kind = {"bare": "Synthetic", "plain": "Baseline"}[name]
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


def measure_in_process(name: str, words: list[str]) -> tuple[float, float]:
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
