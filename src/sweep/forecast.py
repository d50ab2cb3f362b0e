"""Forecast of a sweep before its first job: images, networks, time, disk.

Computed in a process of its own: the sweep's process, which outlives every job, should hold neither
PyTorch nor a GPU.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
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
    """Cost of a sweep.

    Attributes:
        networks: name, parameters and multiply-adds an image of each distinct network.
        images: number of training images, over all epochs and jobs.
        seconds: time to train on them, one job after the other on this machine; NaN if a network
            was not timed.
        disk: bytes of the checkpoints.
    """

    networks: tuple[tuple[str, int, int], ...]
    images: int
    seconds: float
    disk: int


def forecast(jobs: Jobs, sweep: Path, times: int = 1) -> Forecast:
    """Open the data, build the networks and time a step of each; refuse jobs that cannot work.

    Args:
        sweep: directory of the sweep, whose disk is checked.
        times: number of times that each job is run, for a search.
    """
    spawn = get_context("spawn")
    answer, sender = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_send_forecast, args=(sender, list(jobs), times), daemon=True)
    process.start()
    sender.close()
    try:
        found = answer.recv()
    except EOFError:
        process.join()
        found = f"its process ended with code {process.exitcode}"
    finally:
        process.kill()
    if isinstance(found, UserError):
        raise found
    if not isinstance(found, Forecast):
        raise RunFailed(f"the forecast of the sweep failed: {found}")
    check_disk_space(sweep, found.disk)
    return found


def _send_forecast(sender: "Connection[object, object]", jobs: Jobs, times: int) -> None:
    """Send the forecast, a UserError, or the message of another error; print nothing."""
    ignore_signals()  # Ctrl-C in a terminal reaches this process, too; the sweep's handles it
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    try:
        sender.send(_forecast(jobs, times))
    except UserError as error:
        sender.send(UserError(one_line(error)))
    except Exception as error:
        sender.send(one_line(error))


def _forecast(jobs: Jobs, times: int) -> Forecast:
    from src.sweep.job_cost import JobCost, measure_job_cost

    costs: dict[str, JobCost] = {}
    images, seconds, disk = 0, 0.0, 0
    began = time.monotonic()
    for name, config in jobs:
        key = _cost_key(config)
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
    return Forecast(tuple(sorted(networks)), times * images, times * seconds, times * disk)


def _cost_key(config: TrainConfig) -> str:
    """The settings that the cost of an image depends on."""
    model = config.model if isinstance(config.model, dict) else asdict(config.model)
    arithmetic = (config.trainer.precision, config.trainer.accelerator, config.trainer.devices)
    return repr((model, asdict(config.data), asdict(config.augment), arithmetic))
