"""Forecast of a sweep before its first job: images, networks, time, disk.

Computed in a process of its own, ``python -m src.sweep``, since the sweep's own process outlives
every job and had better hold neither PyTorch nor a GPU.
"""

import pickle
import tempfile
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from src.config.schema import TrainConfig
from src.errors import Interrupted, RunFailed, UserError, one_line
from src.process.child import run_child
from src.process.parent_watch import stop_with_parent
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
        Interrupted: a signal came.
    """
    found = _ask(jobs, times)
    check_disk_space(sweep, found.disk)
    return found


def _ask(jobs: Jobs, times: int) -> Forecast:
    """Have the process do it; the files it reads and writes are this process's own."""
    with tempfile.TemporaryDirectory(prefix="forecast-") as folder:
        asked, answer, output = (Path(folder) / name for name in ("asked", "answer", "output"))
        asked.write_bytes(pickle.dumps((list(jobs), times)))
        words = ["-m", __package__, str(asked), str(answer)]
        code, received = run_child(words, environment={}, output=output, place=Path.cwd())
        if received is not None:
            raise Interrupted(received, "interrupted")
        if code:
            last = output.read_text(errors="replace").strip().splitlines()[-1:]
            raise RunFailed(f"the sweep could not be looked at ({code}): {''.join(last)}")
        found = pickle.loads(answer.read_bytes())
    if isinstance(found, UserError):
        raise found
    assert isinstance(found, Forecast)
    return found


def main(asked: Path, answer: Path) -> None:
    """Read jobs from a file and write their forecast, or what is wrong with them, to another."""
    stop_with_parent()
    jobs, times = pickle.loads(asked.read_bytes())
    found: Forecast | UserError
    try:
        found = _forecast(jobs, times)
    except UserError as error:
        found = UserError(one_line(error))
    answer.write_bytes(pickle.dumps(found))


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
