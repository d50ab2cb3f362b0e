"""Forecast of a sweep before its first job: images, networks, time, disk.

Computed in a process of its own, since the sweep's process outlives every job and had better hold
neither PyTorch nor a GPU.
"""

import os
from collections.abc import Hashable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from src.config.schema import TrainConfig
from src.errors import RunFailed, UserError, one_line
from src.process.signals import handle_signals
from src.train.disk_space import check_disk_space, estimate_checkpoint_bytes

TIMING_LIMIT = 20.0
"""Seconds after which no further network is timed."""

Jobs = Sequence[tuple[str, TrainConfig]]


@dataclass(frozen=True)
class Forecast:
    """What a sweep is going to cost.

    Attributes:
        networks: of each distinct network its name, parameters, and multiply-adds an image.
        images: to train on, all epochs and jobs together.
        seconds: of training that takes, one job after the other on this machine; ``None`` where
            it could not be found out.
        disk: bytes that the checkpoints take.
    """

    networks: tuple[tuple[str, int, int], ...]
    images: int
    seconds: float | None
    disk: int


def forecast(jobs: Jobs, sweep: Path, times: int = 1) -> Forecast:
    """Open the data, build the networks without their weights and time a step of each.

    Args:
        jobs: what to call each in an error, and its configuration.
        sweep: where the results will be.
        times: how often each is run, for a search.

    Raises:
        UserError: a job cannot work, or its files will not fit; names it.
        RunFailed: it could not be found out; says why.
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
    """Send the forecast, the user's mistake, or what else went wrong; print nothing."""
    # Ctrl-C in a terminal reaches this process, too: the sweep's answers it.
    with (
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
        handle_signals(lambda number: None),
    ):
        try:
            sender.send(_forecast(jobs, times))
        except UserError as error:
            sender.send(UserError(one_line(error)))
        except Exception as error:
            sender.send(one_line(error))


def _forecast(jobs: Jobs, times: int) -> Forecast:
    from src.sweep.job_cost import JobCost, measure_job_cost

    known: dict[Hashable, JobCost] = {}
    images, seconds, disk = 0, 0.0, 0
    all_timed, spent = True, 0.0
    for name, config in jobs:
        same = _what_decides(config)
        if same not in known:
            try:
                known[same] = measure_job_cost(config, timed=spent < TIMING_LIMIT)
            except UserError as error:
                raise UserError(f"{name}: {one_line(error)}") from error
            spent += known[same].seconds_spent
        sizes = known[same]
        images += sizes.images(config)
        if sizes.seconds_per_image is None:
            all_timed = False
        else:
            seconds += sizes.seconds_per_image * sizes.images(config)
        disk += estimate_checkpoint_bytes(config, sizes.parameters)
    networks = {(sizes.name, sizes.parameters, sizes.multiply_adds) for sizes in known.values()}
    total = times * seconds if all_timed else None
    return Forecast(tuple(sorted(networks)), times * images, total, times * disk)


def _what_decides(config: TrainConfig) -> Hashable:
    """What the sizes of a job depend on."""
    model = config.model if isinstance(config.model, dict) else asdict(config.model)
    arithmetic = (config.trainer.precision, config.trainer.accelerator, config.trainer.devices)
    return repr((model, asdict(config.data), asdict(config.augment), arithmetic))
