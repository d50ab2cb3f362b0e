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
from src.sweep.job_runner import JobRunner, job_overrides
from src.sweep.output import show_sweep
from src.sweep.stop import StopRequest, interruptible

Start = Callable[[Callable[[DictConfig], float | None]], None]
"""Function that lets Hydra's sweeper and launcher call a function for each job."""

log = logging.getLogger(__name__)


def run_sweep(
    config_name: str,
    plan: Plan,
    sweep: Path,
    start: Start,
    environment: dict[str, str],
    config_options: list[str],
) -> int:
    """Run the unfinished jobs of a sweep and report on all.

    Args:
        config_name: module of ``src`` whose command this is.
        sweep: directory of the sweep.
        environment: environment variables of the jobs, in addition to this process's.
        config_options: options and overrides that say where configurations are found.

    Returns:
        The exit code: 0 if every job is finished (of a search, one), else 1.
    """
    console = Console()
    stop = StopRequest.for_sweep(sweep)
    try:
        with interruptible(sweep, stop), _project_on_python_path():
            _forecast(config_name, plan, sweep, console)
            job = JobRunner(
                config_name, sweep.absolute(), stop, Path.cwd(), environment, config_options
            )
            with _explain_plugin_errors():
                # A lambda: Hydra needs a function that has a file.
                start(lambda cfg: job(cfg))
    except (Interrupted, KeyboardInterrupt) as end:
        _report(config_name, plan, sweep, console)
        number = getattr(end, "signal_number", signal.SIGINT)
        raise Interrupted(number, f"interrupted; go on with: {_repeated_command(sweep)}") from end
    return _report(config_name, plan, sweep, console)


def _forecast(config_name: str, plan: Plan, sweep: Path, console: Console) -> None:
    """Make the directories of the jobs, and print the cost of those that are not finished."""
    numbers = {} if plan.search else _place(plan, sweep)
    unfinished = _unfinished(plan, sweep, numbers)
    if config_name == "train" and unfinished:
        named = [(_name(job, numbers), job.config) for job in unfinished]
        expected = forecast(named, sweep, times=plan.trials or 1)
        _show_forecast(console, plan, sweep, len(unfinished), expected)


def _report(config_name: str, plan: Plan, sweep: Path, console: Console) -> int:
    """Print the jobs and write the report; return the exit code.

    Of a search one finished job is enough, as trials may diverge.
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
    """Make the directories of the jobs; returns the number of each by its key."""
    named = {key for job in plan.jobs for key in named_settings(list(job.overrides))}
    varying = [
        key for key in sorted(named) if len({str(job.settings.get(key)) for job in plan.jobs}) > 1
    ]
    wanted = {job.key: job_overrides(job.overrides) for job in plan.jobs}
    with as_user_errors():
        placed = place_jobs(sweep, wanted, varying)
    return {key: job.directory.path.name for key, job in placed.items()}


def _unfinished(plan: Plan, sweep: Path, numbers: dict[str, str]) -> list[PlannedJob]:
    """The distinct jobs that are not finished; all of a search."""
    if plan.search:
        return list(plan.jobs)
    distinct = {job.key: job for job in plan.jobs}
    with as_user_errors():
        states = {key: read_run(sweep / numbers[key]).state for key in distinct}
    return [job for key, job in distinct.items() if states[key] != "finished"]


def _name(job: PlannedJob, numbers: dict[str, str]) -> str:
    number = numbers.get(job.key)
    return f"job {number} ({' '.join(job.overrides)})" if number else " ".join(job.overrides)


def _show_forecast(
    console: Console, plan: Plan, sweep: Path, unfinished: int, expected: Forecast
) -> None:
    if plan.search:
        jobs = f"a search of {plan.trials or '?'} trials"
    else:
        count = len({job.key for job in plan.jobs})
        done = f", {count - unfinished} of them finished" if unfinished < count else ""
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
def _explain_plugin_errors() -> Iterator[None]:
    """Report errors of Hydra's plug-ins in one line; those of the jobs are not raised here."""
    try:
        yield
    except (UserError, RunFailed, HydraException):
        raise
    except Exception as error:
        raise RunFailed(f"hydra.launcher or hydra.sweeper failed: {one_line(error)}") from error


@contextmanager
def _project_on_python_path() -> Iterator[None]:
    """Let the processes of Hydra's launchers import this project, whatever their directory."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(CONF.parent), before]))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _repeated_command(sweep: Path) -> str:
    """The command that goes on with the sweep."""
    directory = ("sweep=", "hydra.sweep.dir=")
    words = [word for word in shlex.split(command_line()) if not word.startswith(directory)]
    if sweep.parent == SWEEPS:
        name = sweep.name
    else:
        # A name without a separator would be taken for one in outputs/sweep.
        name = str(sweep) if os.sep in str(sweep) else f".{os.sep}{sweep}"
    return shlex.join([*words, plain_override("sweep", name)])
