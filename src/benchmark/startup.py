"""Seconds from the command to the first step, each measurement in a process of its own."""

import time

from src.benchmark.samples import Samples
from src.benchmark.worker import REFUSED, measure_in_process, run_python
from src.errors import RunFailed

COMMANDS = {
    "python -m src.train --cfg job": ["-m", "src.train", "--cfg", "job"],
    "a configuration error": ["-m", "src.train", "model=resnet19"],
    "import torch": ["-c", "import torch"],
    "import torch, lightning": ["-c", "import torch, lightning"],
    "import all that training needs": ["-c", "import src.train.run"],
}


def measure_startup(rounds: int, words: list[str], measured: dict[str, Samples]) -> None:
    """Add to ``measured`` seconds of each command, and up to the first step of ``words``; in turn.

    Raises:
        RunFailed: a command failed that should not have.
    """
    measured |= {name: Samples("s") for name in (*COMMANDS, "the first training step")}
    for _ in range(rounds):
        # First what the settings and the data may be wrong for.
        measured["the first training step"].values.append(measure_in_process("ours", words)[0])
        for name, command in COMMANDS.items():
            measured[name].values.append(_time(command))


def _time(command: list[str]) -> float:
    start = time.perf_counter()
    done = run_python(command)
    elapsed = time.perf_counter() - start
    if done.returncode not in (0, REFUSED):
        raise RunFailed(f"{' '.join(command)}: exit code {done.returncode}")
    return elapsed
