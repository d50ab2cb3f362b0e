"""Forecast of a sweep before its first job: images, networks, time, disk.

Computed in a process of its own: the sweep's process, which outlives every job, should hold neither
PyTorch nor a GPU.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from src.config.schema import TrainConfig
from src.errors import RunFailed, UserError, one_line
from src.process.signals import ignore_signals
from src.train.preflight import check_disk_space, estimate_checkpoint_bytes

TIMING_LIMIT = 20.0
"""Seconds after which no further network is timed."""

Jobs = Sequence[tuple[str, TrainConfig]]
"""Jobs by name."""


@dataclass(frozen=True)
class Forecast:
    """Cost of a sweep on this machine, one job after the other."""

    networks: list[tuple[str, int, int]]  # name, parameters and multiply-adds of each
    images: int  # to train on, over all epochs and jobs
    seconds: float  # NaN if a network was not timed
    disk: int  # bytes of the checkpoints


def forecast(jobs: Jobs, sweep: Path) -> Forecast:
    """Open the data, build the networks and time a step of each; refuse jobs that cannot work.

    A sweep whose checkpoints do not fit on its disk is refused, too.
    """
    spawn = get_context("spawn")
    answer, sender = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_send_forecast, args=(sender, jobs), daemon=True)
    process.start()
    sender.close()
    try:
        found: Forecast | UserError | RunFailed = answer.recv()
    except EOFError:
        process.join()
        found = RunFailed(f"the forecast's process ended with code {process.exitcode}")
    finally:
        process.kill()
    if isinstance(found, Exception):
        raise found
    check_disk_space(sweep, found.disk)
    return found


def _send_forecast(sender: "Connection[object, object]", jobs: Jobs) -> None:
    """Send the forecast or an error; print nothing."""
    ignore_signals()  # Ctrl-C in a terminal reaches this process, too; the sweep's handles it
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    try:
        sender.send(_forecast(jobs))
    except UserError as error:
        sender.send(error)
    except Exception as error:
        sender.send(RunFailed(f"the forecast of the sweep failed: {one_line(error)}"))


def _forecast(jobs: Jobs) -> Forecast:
    from src.sweep.job_cost import JobCost, measure_job_cost

    costs: dict[str, JobCost] = {}
    images, seconds, disk = 0, 0.0, 0
    began = time.monotonic()
    for name, config in jobs:
        trainer = config.trainer
        hardware = (trainer.accelerator, trainer.devices, trainer.precision)
        key = repr((config.model, config.data, config.augment, hardware))
        if key not in costs:
            timed = time.monotonic() - began < TIMING_LIMIT
            try:
                costs[key] = measure_job_cost(config, timed=timed)
            except UserError as error:
                raise UserError(f"{name}: {one_line(error)}") from error
        cost = costs[key]
        images += cost.images(config)
        seconds += cost.seconds_per_image * cost.images(config)
        disk += estimate_checkpoint_bytes(config, cost.parameters)
    networks = {(cost.name, cost.parameters, cost.multiply_adds) for cost in costs.values()}
    return Forecast(sorted(networks), images, seconds, disk)
