"""Run a sweep: forecast, jobs, table, report."""

import logging
import os
import shlex
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.errors import HydraException
from omegaconf import DictConfig
from rich.console import Console

from src.config.compose import Plan, PlannedJob, named_settings
from src.config.overrides import plain_override
from src.config.validate import CONF
from src.errors import Interrupted, RunFailed, UserError, as_user_errors, one_line
from src.runs.claim import SWEEPS
from src.runs.job_directories import place_jobs
from src.runs.reader import read_run, read_runs
from src.runs.record import command_line
from src.sweep.forecast import Forecast, forecast
from src.sweep.job_runner import JobRunner, words_of_job
from src.sweep.output import show_sweep
from src.sweep.stop import Stop, interruptible

Start = Callable[[Callable[[DictConfig], float | None]], None]
"""Has Hydra call a function with the configuration of each job of the command line."""

log = logging.getLogger(__name__)


def run_sweep(
    config_name: str,
    plan: Plan,
    sweep: Path,
    start: Start,
    environment: dict[str, str],
    look_up: list[str],
) -> int:
    """Run what is missing of a sweep and show how all of it went.

    Args:
        config_name: the module of ``src`` whose command this is.
        plan: the sweep's jobs.
        sweep: its directory, which exists.
        start: lets Hydra's sweeper and launcher do the jobs.
        environment: variables of the jobs, on top of this process's own.
        look_up: words of the jobs that say where configurations are found.

    Returns:
        0 when every job is finished, else 1.

    Raises:
        UserError: a job cannot work.
        RunFailed: the engine that runs the jobs, or the search, did not work.
        Interrupted: a signal ended the sweep; the message is the command to go on with.
    """
    console = Console()
    stop = Stop.of(sweep)
    try:
        with interruptible(sweep, stop), _importable():
            _look_ahead(config_name, plan, sweep, console)
            job = JobRunner(config_name, sweep.absolute(), stop, Path.cwd(), environment, look_up)
            with _engine_named():
                # A function: Hydra wants to know the file it is from.
                start(lambda cfg: job(cfg))
    except (Interrupted, KeyboardInterrupt) as end:
        _report(config_name, plan, sweep, console)
        number = getattr(end, "signal_number", signal.SIGINT)
        raise Interrupted(number, f"interrupted; go on with: {_again(sweep)}") from end
    return _report(config_name, plan, sweep, console)


def _look_ahead(config_name: str, plan: Plan, sweep: Path, console: Console) -> None:
    """Give the jobs their directories, and say what those that are missing will cost."""
    numbers = {} if plan.search else _place(plan, sweep)
    missing = _missing(plan, sweep, numbers)
    if config_name == "train" and missing:
        named = [(_called(job, numbers), job.config) for job in missing]
        expected = forecast(named, sweep, times=plan.trials or 1)
        _show_forecast(console, plan, sweep, len(missing), expected)


def _report(config_name: str, plan: Plan, sweep: Path, console: Console) -> int:
    """Show how the jobs went, and how they compare.

    Returns:
        0 when all jobs are finished, or one of a search, whose trials may well diverge; else 1.
    """
    with as_user_errors():
        states = [run.state for run in read_runs(sweep)]
    show_sweep(sweep, console)
    finished = "finished" in states if plan.search else {*states} == {"finished"}
    if config_name == "train" and {*states} - {"waiting"}:
        # Pandas is slow to import, and every command line would wait for it.
        from src.report.run import show_report, write_report

        try:
            show_report(write_report([sweep]), console)
        except UserError as error:
            log.error("error: %s", one_line(error))
            return 1
    return 0 if finished else 1


def _place(plan: Plan, sweep: Path) -> dict[str, str]:
    """Give every job its directory, in the order of the command line: key to number."""
    named = {key for job in plan.jobs for key in named_settings(list(job.overrides))}
    varying = [
        key for key in sorted(named) if len({str(job.settings.get(key)) for job in plan.jobs}) > 1
    ]
    wanted = {job.key: words_of_job(job.overrides) for job in plan.jobs}
    with as_user_errors():
        placed = place_jobs(sweep, wanted, varying)
    return {key: job.directory.path.name for key, job in placed.items()}


def _missing(plan: Plan, sweep: Path, numbers: dict[str, str]) -> list[PlannedJob]:
    """The jobs that are not finished, each once; all of a search."""
    if plan.search:
        return list(plan.jobs)
    different = {job.key: job for job in plan.jobs}
    with as_user_errors():
        states = {key: read_run(sweep / numbers[key]).state for key in different}
    return [job for key, job in different.items() if states[key] != "finished"]


def _called(job: PlannedJob, numbers: dict[str, str]) -> str:
    number = numbers.get(job.key)
    return f"job {number} ({' '.join(job.overrides)})" if number else " ".join(job.overrides)


def _show_forecast(
    console: Console, plan: Plan, sweep: Path, missing: int, expected: Forecast
) -> None:
    if plan.search:
        jobs = f"a search of {plan.trials or '?'} trials"
    else:
        count = len({job.key for job in plan.jobs})
        done = f", {count - missing} of them finished" if missing < count else ""
        jobs = f"{count} job{'s' if count > 1 else ''}{done}"
    networks = "; ".join(
        f"{name}: {parameters:,} parameters, {operations / 1e6:,.0f} M multiply-adds"
        for name, parameters, operations in expected.networks
    )
    length = "" if expected.seconds is None else f", about {_duration(expected.seconds)}"
    free = shutil.disk_usage(sweep).free
    for line in (
        f"sweep {sweep}: {jobs}",
        f"networks: {networks}",
        f"to train on: {expected.images:,} images{length}",
        f"checkpoints: about {_size(expected.disk)} ({_size(free)} free)",
    ):
        console.print(line, highlight=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1:
        return f"{max(seconds, 1):.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count, 1e6) / 1e6:.0f} MB"


@contextmanager
def _engine_named() -> Iterator[None]:
    """Say in one line that a plug-in failed: the jobs' own errors do not come this far."""
    try:
        yield
    except (UserError, RunFailed, HydraException):
        raise
    except Exception as error:
        raise RunFailed(f"hydra.launcher or hydra.sweeper failed: {one_line(error)}") from error


@contextmanager
def _importable() -> Iterator[None]:
    """Let an engine's processes import this project, wherever they are started."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(CONF.parent), before]))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _again(sweep: Path) -> str:
    """The command that goes on with the sweep."""
    words = [word for word in shlex.split(command_line()) if not word.startswith("sweep=")]
    words = [word for word in words if not word.startswith("hydra.sweep.dir=")]
    if sweep.parent == SWEEPS:
        name = sweep.name
    else:
        # A bare name would be one in outputs/sweep.
        name = str(sweep) if os.sep in str(sweep) else f".{os.sep}{sweep}"
    return shlex.join([*words, plain_override("sweep", name)])
