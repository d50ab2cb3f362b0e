"""Runner of a sweep's job in a process of its own: skip, continue, retry or begin it."""

import logging
import math
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from src.config.compose import hydra_override
from src.config.run_key import run_key
from src.distributed.ranks import usable_cores
from src.errors import Interrupted
from src.files import read_json
from src.process.child import run_child
from src.runs.directory import RunDirectory
from src.runs.reader import RunSummary, best_row, read_rows, read_run
from src.runs.record import close_record
from src.sweep.job_directories import archive_attempt, place_jobs
from src.sweep.stop import SweepStop
from src.target_allowlist import trust_overrides

log = logging.getLogger(__name__)

_SWEEP_PREFIXES = ("sweep=", "hydra.", "hydra/")
_RUNNING_ELSEWHERE = "another process is running it"
_STOPPED = {128 + signal.SIGINT, 128 + signal.SIGTERM}
_BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
"""Hydra's launcher that runs one job after the other."""


def threads_per_job(launcher: Any) -> int | None:
    """Threads of a job by the node ``hydra.launcher``; ``None``: all cores that it sees.

    Ray and SLURM limit the cores of a job themselves.
    """
    jobs = launcher.get("n_jobs")
    if jobs is None:
        return launcher.get("cpus_per_task") or None
    # Negative numbers as in joblib: -1 is one a core, -2 leaves a core free.
    at_once = max(1, jobs if jobs > 0 else usable_cores() + 1 + jobs)
    return max(1, usable_cores() // at_once) if at_once > 1 else None


def job_overrides(overrides: Iterable[str]) -> list[str]:
    """The overrides of a sweep that are for its jobs, not for Hydra or the sweep itself."""
    return [word for word in overrides if not word.lstrip("+~").startswith(_SWEEP_PREFIXES)]


@dataclass(frozen=True)
class JobRunner:
    """Function that runs a job of a sweep; picklable, so that Hydra's launchers can send it."""

    command: str  # module of ``src`` that does a single run
    stop: SweepStop
    origin: Path  # working directory of the sweep, which relative paths start from
    environment: dict[str, str]  # of the jobs, in addition to the calling process's
    config_options: list[str]  # the words that say where configurations are found

    def __call__(self, cfg: DictConfig) -> float | None:
        """Run the job with this configuration and return its objective, ``None`` if it failed."""
        hydra = HydraConfig.get()
        settings = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
        key = run_key(settings)
        job = place_jobs(self.stop.sweep, {key: job_overrides(hydra.overrides.task)})[key]
        before = read_run(job.path)
        if before.state == "finished":
            log.info("job %s: is finished already", job.path.name)
        elif before.state == "running":
            log.warning("job %s: %s", job.path.name, _RUNNING_ELSEWHERE)
        elif not self.stop.is_requested():
            self._run(job, before, hydra.launcher, settings)
        return _objective(job, settings.get("objective", "val/acc"))

    def _run(
        self, job: RunDirectory, before: RunSummary, launcher: Any, settings: dict[str, Any]
    ) -> None:
        name = job.path.name
        resumed = before.state in ("interrupted", "killed") and bool(job.resumable)
        environment = dict(self.environment)
        threads = threads_per_job(launcher)
        if threads and "OMP_NUM_THREADS" not in os.environ:
            environment["OMP_NUM_THREADS"] = str(threads)
        code, received = run_child(
            self._resume(job, settings) if resumed else self._begin(job, before),
            environment=environment,
            output=None if launcher.get("_target_") == _BASIC else job.path / "output.log",
            directory=self.origin,
            stop=self.stop.is_requested,
        )
        after = read_run(job.path)
        unchanged = resumed and after.reason == before.reason
        if code and received is None and unchanged:
            log.error("job %s: not resumed (exit code %d); stays %s", name, code, after.state)
            return
        if after.state in ("waiting", "killed"):
            _close_job_record(job, code, stopped=received is not None)
            after = read_run(job.path)
        if received is not None and self.stop.is_own_process():
            raise Interrupted(received, f"job {name}: {after.reason or after.state}")
        if after.state == "finished":
            log.info("job %s: finished", name)
        elif after.state == "running":
            log.warning("job %s: %s", name, _RUNNING_ELSEWHERE)
        else:
            log.error("job %s: %s: %s", name, after.state, after.reason)

    def _resume(self, job: RunDirectory, settings: dict[str, Any]) -> list[str]:
        """The arguments of ``python`` that continue the run."""
        log.info("job %s: continues from %s", job.path.name, job.resumable[0])
        # The user trusts what the sweep's command line names.
        trust = trust_overrides(settings.get("model"), settings.get("optimizer"))
        return ["-m", f"src.{self.command}", hydra_override("resume", str(job.path)), *trust]

    def _begin(self, job: RunDirectory, before: RunSummary) -> list[str]:
        """The arguments of ``python`` that begin the run; a failed attempt is archived."""
        if before.state != "waiting":
            archived = archive_attempt(job)
            log.info("job %s: tried again; the earlier attempt is in %s", job.path.name, archived)
        # hydra.mode: a recipe may ask for a sweep itself.
        own = ["hydra.mode=RUN", hydra_override("hydra.run.dir", str(job.path))]
        overrides = read_json(job.job)["overrides"]
        return ["-m", f"src.{self.command}", *self.config_options, *overrides, *own]


def _close_job_record(job: RunDirectory, code: int, *, stopped: bool) -> None:
    """Write the final state of a job whose process has not."""
    if code < 0 and not stopped:
        close_record(job, "killed", f"killed by {signal.Signals(-code).name}")
    elif stopped or code in _STOPPED:
        close_record(job, "interrupted", "interrupted before it began to train")
    else:
        close_record(job, "failed", f"ended before it began, with exit code {code}")


def _objective(job: RunDirectory, name: str) -> float | None:
    """The best value of a metric over the epochs; ``None`` if the run is not finished.

    Optuna counts ``None`` as a failed trial; NaN would end the whole search.
    """
    if read_run(job.path).state != "finished":
        return None
    best = best_row(read_rows(job), name)
    value = best.get(name, best.get(f"{name}_epoch"))
    return value if value is not None and math.isfinite(value) else None
