"""What a sweep would do, found out before its first job: images, networks, time, disk.

Runs in a process of its own, since the sweep's own process outlives every job and had better hold
neither PyTorch nor a GPU.
"""

import shutil
import signal
from collections.abc import Hashable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from src.config import TrainConfig, UserError
from src.config.errors import one_line

__all__ = ["Forecast", "forecast"]

STATE = {"sgd": 1, "muon": 1, "adam": 2, "adamw": 2}
"""Numbers an optimizer keeps for each weight, at most."""

FILES = 3
"""``best.ckpt``, ``last.ckpt``, and the one that is being written."""

TIMING_LIMIT = 20.0
"""Seconds after which no further network is timed."""


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


def forecast(jobs: Sequence[tuple[str, TrainConfig]], sweep: Path, times: int = 1) -> Forecast:
    """Open the data, build the networks without their weights and time a step of each.

    Args:
        jobs: what to call each in an error, and its configuration.
        sweep: where the results will be.
        times: how often each is run, for a search.

    Raises:
        UserError: a job cannot work, or its files will not fit; names it.
    """
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_end_on_ctrl_c) as pool:
        found = pool.submit(_forecast, list(jobs), times).result()
    free = shutil.disk_usage(sweep).free
    if found.disk > free:
        raise UserError(
            f"{sweep}: the checkpoints need about {found.disk / 1e9:.1f} GB and "
            f"{free / 1e9:.1f} GB are free; choose another place with hydra.sweep.dir=<directory> "
            "or write none with callbacks.checkpoint=false"
        )
    return found


def _end_on_ctrl_c() -> None:
    # Without a traceback: the sweep says what there is to say.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _forecast(jobs: list[tuple[str, TrainConfig]], times: int) -> Forecast:
    from src.workflows.sweep.sizes import Sizes, measure

    known: dict[Hashable, Sizes] = {}
    images, seconds, disk = 0, 0.0, 0
    all_timed, spent = True, 0.0
    for name, config in jobs:
        same = _what_decides(config)
        if same not in known:
            try:
                known[same] = measure(config, timed=spent < TIMING_LIMIT)
            except UserError as error:
                raise UserError(f"{name}: {one_line(error)}") from error
            spent += known[same].measuring
        sizes = known[same]
        images += sizes.images(config)
        if sizes.seconds_per_image is None:
            all_timed = False
        else:
            seconds += sizes.seconds_per_image * sizes.images(config)
        if config.callbacks.checkpoint:
            disk += FILES * 4 * sizes.parameters * _copies(config)
    networks = {(sizes.name, sizes.parameters, sizes.multiply_adds) for sizes in known.values()}
    total = times * seconds if all_timed else None
    return Forecast(tuple(sorted(networks)), times * images, total, times * disk)


def _what_decides(config: TrainConfig) -> Hashable:
    """What the sizes of a job depend on."""
    model = config.model if isinstance(config.model, dict) else asdict(config.model)
    arithmetic = (config.trainer.precision, config.trainer.accelerator, config.trainer.devices)
    return repr((model, asdict(config.data), asdict(config.augment), arithmetic))


def _copies(config: TrainConfig) -> int:
    """How many numbers a checkpoint has for each weight."""
    name = config.optimizer["name"] if isinstance(config.optimizer, dict) else config.optimizer.name
    return 1 + STATE.get(name, 2) + config.callbacks.ema.enabled
