"""Process of one contender, which trains for as long as :mod:`src.benchmark.race` asks."""

import logging
import os
import re
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from src.config.schema import TrainConfig
from src.console import quiet_warnings
from src.errors import Interrupted, RunFailed, UserError, one_line
from src.process.signals import handle_signals
from src.training.hardware import device_of, prepare

Request = tuple[int, float]
"""Least number of steps and least seconds to train."""

Answer = tuple[int, float, int]
"""Images, seconds and peak memory in bytes."""

Race = Connection
"""Receives answers, or the error that ended the training; sends requests."""


class StepTimer:
    """Times the steps of a training loop, and halts it between the requests of the race.

    The first step is answered without a request.
    """

    def __init__(self, race: Race, device: torch.device):
        self._race, self._device = race, device
        self._begin(1, 0.0)

    def step_done(self, images: int) -> None:
        """Count a step; after the last one of a request, answer and wait for the next."""
        self._steps += 1
        self._images += images
        if self._steps < self._fewest or time.perf_counter() - self._start < self._seconds:
            return
        wait_for(self._device)
        elapsed = time.perf_counter() - self._start
        self._race.send((self._images, elapsed, _peak_memory(self._device)))
        self._begin(*self._race.recv())

    def _begin(self, steps: int, seconds: float) -> None:
        self._fewest, self._seconds = steps, seconds
        self._steps = self._images = 0
        self._start = time.perf_counter()


def wait_for(device: torch.device) -> None:
    """Return when all work given to the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _peak_memory(device: torch.device) -> int:
    """Peak memory in bytes: of a CUDA GPU when it computes, else of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss would begin with the parent's peak, which Linux carries over.
        (line,) = re.findall(r"VmHWM:\s*(\d+) kB", status.read_text())
        return int(line) * 1024
    import resource  # which Windows lacks

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def run_contender(name: str, config: TrainConfig, race: Race) -> None:
    """Train until the race ends this process or is gone itself; send it the error that came first.

    Nothing is printed: the process of the race has built the same network and logged the warnings.
    """
    quiet_warnings()
    logging.disable(logging.WARNING)
    with (
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
        suppress(Interrupted, EOFError, BrokenPipeError),
        handle_signals(_raise_once()),
    ):
        try:
            _train(name, config, race)
        except (Interrupted, EOFError, BrokenPipeError):
            raise
        except Exception as failure:
            race.send(_explained(failure, config))


def _raise_once() -> Callable[[int], None]:
    """A handler that does not interrupt the cleaning up after the first signal."""
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        if len(received) == 1:
            raise Interrupted(number, "interrupted")

    return stop


def _train(name: str, config: TrainConfig, race: Race) -> None:
    # The usual script leaves the C library as it is.
    compute = prepare(config, memory_is_kept=name != "plain")
    timer = StepTimer(race, device_of(compute.accelerator))
    contender = import_module(f"src.benchmark.contenders.{name}")
    contender.train(config, compute, timer.step_done)


def _explained(failure: Exception, config: TrainConfig) -> Exception:
    # Imports Lightning, for which the first step of a bare loop must not wait.
    from src.train.lifecycle import explain_errors

    try:
        with explain_errors(config):
            raise failure
    except (UserError, RunFailed) as error:
        return type(error)(one_line(error))
    except Exception as error:
        return RunFailed(f"{type(error).__name__}: {one_line(error)}")
