"""Run one job of a sweep: skip a finished one, continue, retry or begin."""

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

from src.config.overrides import hydra_override
from src.config.run_key import run_key
from src.distributed.ranks import usable_cores
from src.errors import Interrupted
from src.process.child import run_child
from src.runs.job_directories import Job, archive_attempt, place_job
from src.runs.reader import RunSummary, best_row, read_rows, read_run
from src.runs.record import close_record
from src.sweep.stop import Stop
from src.target_allowlist import trust_overrides

_BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def is_sequential(launcher: Any) -> bool:
    """Whether jobs run one after the other, in sight of the terminal."""
    return str(launcher.get("_target_")) == _BASIC


def concurrent_jobs(launcher: Any) -> int | None:
    """How many jobs share this machine's cores; ``None`` where the engine gives each its own.

    Args:
        launcher: the node ``hydra.launcher``.
    """
    if is_sequential(launcher):
        return 1
    jobs = launcher.get("n_jobs")
    if jobs is None:
        return None
    # As joblib counts: -1 is one a core, -2 leaves a core free.
    return max(1, jobs if jobs > 0 else usable_cores() + 1 + jobs)


def threads_per_job(launcher: Any) -> int | None:
    """Threads that a job may use; ``None`` where all that it finds are its own.

    Ray and SLURM say it themselves, by the variables and the cores they start a job with.
    """
    together = concurrent_jobs(launcher)
    if together is None:
        cpus = launcher.get("cpus_per_task")
        return int(cpus) if cpus else None
    return max(1, usable_cores() // together) if together > 1 else None


log = logging.getLogger(__name__)

OF_THE_SWEEP = ("sweep=", "hydra.", "hydra/")
"""Beginnings of words that are for the sweep, not for its jobs."""

ELSEWHERE = "another process is at it"

STOPPED = {128 + signal.SIGINT, 128 + signal.SIGTERM}


def job_key(cfg: DictConfig) -> str:
    """The key of a composed configuration.

    Raises:
        OmegaConfBaseException: it does not resolve.
    """
    return run_key(cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True)))


def words_of_job(words: Iterable[str]) -> list[str]:
    """Those of a command line's words that are a job's own."""
    return [word for word in words if not word.lstrip("+~").startswith(OF_THE_SWEEP)]


def _continues(job: Job, before: RunSummary) -> bool:
    """Whether a job goes on from a checkpoint."""
    return before.state in ("interrupted", "killed") and bool(job.directory.states)


@dataclass(frozen=True)
class JobRunner:
    """Does the jobs of a sweep, wherever an engine calls it: it can be sent to another process.

    Attributes:
        command: the module of ``src`` that does a single run.
        sweep: the sweep's directory, absolute.
        stop: says when the jobs are to stop.
        origin: the directory the sweep was started in, which relative paths are from.
        environment: variables of the jobs, on top of the calling process's own.
        look_up: words that say where configurations are found.
    """

    command: str
    sweep: Path
    stop: Stop
    origin: Path
    environment: dict[str, str]
    look_up: list[str]

    def __call__(self, cfg: DictConfig) -> float | None:
        """Do the job with this configuration; its objective, ``None`` when it did not finish.

        Raises:
            Interrupted: a signal stopped it, and is to stop the sweep.
        """
        hydra = HydraConfig.get()
        job = place_job(self.sweep, job_key(cfg), words_of_job(hydra.overrides.task))
        before = read_run(job.directory.path)
        if before.state == "finished":
            log.info("job %s: is finished already", job.directory.path.name)
        elif before.state == "running":
            log.warning("job %s: %s", job.directory.path.name, ELSEWHERE)
        elif not self.stop.wanted():
            self._run(job, before, hydra.launcher, cfg)
        return self._objective(job, str(cfg.get("objective", "val/acc")))

    def _run(self, job: Job, before: RunSummary, launcher: Any, cfg: DictConfig) -> None:
        name = job.directory.path.name
        shown = is_sequential(launcher)
        words = self._words(job, before, cfg)
        environment = dict(self.environment)
        share = threads_per_job(launcher)
        if share and "OMP_NUM_THREADS" not in os.environ:
            environment["OMP_NUM_THREADS"] = str(share)
        output = None if shown else job.directory.path / "output.log"
        code, received = run_child(
            words,
            environment=environment,
            output=output,
            place=self.origin,
            stop=self.stop.wanted,
        )
        after = read_run(job.directory.path)
        if code and received is None and _continues(job, before) and after.reason == before.reason:
            log.error("job %s: could not go on (exit code %d); stays %s", name, code, after.state)
            return
        if after.state in ("waiting", "killed"):
            self._write_end(job, code, stopped=received is not None)
            after = read_run(job.directory.path)
        if received is not None and self.stop.is_here():
            raise Interrupted(received, f"job {name}: {after.reason or after.state}")
        if after.state == "finished":
            log.info("job %s: finished", name)
        elif after.state == "running":
            log.warning("job %s: %s", name, ELSEWHERE)
        else:
            log.error("job %s: %s: %s", name, after.state, after.reason)

    def _words(self, job: Job, before: RunSummary, cfg: DictConfig) -> list[str]:
        """The command of a single run."""
        path = job.directory.path
        module = ["-m", f"src.{self.command}"]
        if _continues(job, before):
            log.info("job %s: continues from %s", path.name, job.directory.states[0])
            # What the sweep's own command line names, the user has trusted by typing it.
            settings = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
            trust = trust_overrides(settings.get("model"), settings.get("optimizer"))
            return [*module, hydra_override("resume", str(path)), *trust]
        if before.state != "waiting":
            log.info(
                "job %s: tried again; what there was is in %s", path.name, archive_attempt(job)
            )
        # A recipe may make a sweep of its own accord.
        place = hydra_override("hydra.run.dir", str(path))
        return [*module, *self.look_up, *job.overrides, "hydra.mode=RUN", place]

    def _write_end(self, job: Job, code: int, *, stopped: bool) -> None:
        """Say in the record what the job could not say itself."""
        if code < 0 and not stopped:
            close_record(job.directory, "killed", f"killed by {signal.Signals(-code).name}")
        elif stopped or code in STOPPED:
            close_record(job.directory, "interrupted", "interrupted before it began to train")
        else:
            close_record(job.directory, "failed", f"ended before it began, with exit code {code}")

    def _objective(self, job: Job, name: str) -> float | None:
        """The best value of a metric in the epochs of a run; ``None`` if it is not finished.

        Optuna takes that for a failed trial; not a number would end the whole search.
        """
        if read_run(job.directory.path).state != "finished":
            return None
        best = best_row(read_rows(job.directory), name)
        value = best.get(name, best.get(f"{name}_epoch"))
        return value if value is not None and math.isfinite(value) else None
