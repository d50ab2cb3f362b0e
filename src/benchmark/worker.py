"""Process of one contender, which trains for as long as :mod:`src.benchmark.race` asks."""

import logging
import os
import re
import time
from contextlib import redirect_stdout, suppress
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

import torch

from src.config.schema import TrainConfig
from src.console import quiet_warnings
from src.errors import Interrupted, RunFailed, UserError, one_line
from src.process.signals import handle_signals, ignore_signals
from src.training.hardware import device_of, prepare

Answer = tuple[int, float, int]
"""Images, seconds and peak memory in bytes."""


class StepTimer:
    """Times the steps of a training loop, and halts it between the requests of the race.

    A request is the least number of steps and the least seconds to train.
    """

    def __init__(self, race: Connection, device: torch.device):
        self._race, self._device = race, device
        self._begin()

    def step_done(self, images: int) -> None:
        """Count a step; after the last one of a request, answer and wait for the next."""
        self._steps += 1
        self._images += images
        if self._steps < self._fewest or time.perf_counter() - self._start < self._seconds:
            return
        wait_for(self._device)
        elapsed = time.perf_counter() - self._start
        self._race.send((self._images, elapsed, _peak_memory(self._device)))
        self._begin()

    def _begin(self) -> None:
        self._fewest, self._seconds = self._race.recv()
        self._steps = self._images = 0
        self._start = time.perf_counter()


def wait_for(device: torch.device) -> None:
    """Return when all work given to the device is done."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


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


def run_contender(name: str, config: TrainConfig, race: Connection) -> None:
    """Train until the race ends this process or is gone itself; send it the error that came first.

    Nothing is printed: the process of the race has built the same network and logged the warnings.
    """
    quiet_warnings()
    logging.disable(logging.WARNING)
    with (
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
        suppress(Interrupted, EOFError, BrokenPipeError),
        handle_signals(_stop),
    ):
        try:
            # The usual script leaves the C library as it is.
            compute = prepare(config, memory_is_kept=name != "plain")
            timer = StepTimer(race, device_of(compute.accelerator))
            contender = import_module(f"src.benchmark.contenders.{name}")
            contender.train(config, compute, timer.step_done)
        except (EOFError, BrokenPipeError):
            raise
        except Exception as error:
            race.send(_explained(error, config))


def _stop(number: int) -> NoReturn:
    """End the training; a second signal does not interrupt the cleaning up."""
    ignore_signals()
    raise Interrupted(number, "interrupted")


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
