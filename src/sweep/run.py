"""Run a sweep: forecast, jobs, table, report."""

import logging
import os
import shlex
import signal
from collections.abc import Callable
from pathlib import Path

from hydra.core.utils import env_override
from hydra.errors import HydraException
from omegaconf import DictConfig

from src.config.compose import Plan, named_settings, plain_override
from src.console import plain_console
from src.errors import Interrupted, RunFailed, UserError, as_user_errors, one_line
from src.process.child import project_on_python_path
from src.report.formatting import counted
from src.runs.directory import SWEEPS, RunDirectory
from src.runs.reader import read_run, read_runs
from src.runs.record import command_line
from src.sweep.forecast import forecast
from src.sweep.job_directories import place_jobs
from src.sweep.job_runner import JobRunner, job_overrides
from src.sweep.output import show_forecast, show_sweep
from src.sweep.stop import SweepStop

log = logging.getLogger(__name__)


def run_sweep(
    command: str,
    plan: Plan,
    sweep: Path,
    start: Callable[[Callable[[DictConfig], float | None]], None],
    environment: dict[str, str],
    config_options: list[str],
) -> int:
    """Run the unfinished jobs of a sweep, report on all, and return the exit code.

    Args:
        command: module of ``src`` whose command this is.
        start: lets Hydra's sweeper and launcher call a function for each job.
        environment, config_options: as of :class:`JobRunner`.
    """
    stop = SweepStop(sweep)
    run_job = JobRunner(command, stop, Path.cwd(), environment, config_options)
    try:
        # The processes of Hydra's launchers import this project, whatever their directory.
        with stop.request_on_signal(), env_override(project_on_python_path()):
            _forecast(command, plan, sweep)
            _run_jobs(start, run_job)
    except (Interrupted, KeyboardInterrupt) as end:
        _report(command, plan, sweep)
        number = getattr(end, "signal_number", signal.SIGINT)
        raise Interrupted(number, f"interrupted; go on with: {_repeated_command(sweep)}") from end
    return _report(command, plan, sweep)


def _forecast(command: str, plan: Plan, sweep: Path) -> None:
    """Make the directories of the jobs, and print the cost of those that are not finished."""
    if plan.search:
        jobs = f"a search of {plan.trials or '?'} trials"
        trial = plan.jobs[0]
        unfinished = [(" ".join(trial.overrides), trial.config)] * (plan.trials or 1)
    else:
        distinct = {job.key: job for job in plan.jobs}
        with as_user_errors():
            placed = _place(plan, sweep)
            unfinished = [
                (f"job {placed[key].path.name} ({' '.join(job.overrides)})", job.config)
                for key, job in distinct.items()
                if read_run(placed[key].path).state != "finished"
            ]
        finished = len(distinct) - len(unfinished)
        jobs = counted(len(distinct), "job")
        if finished:
            jobs += f", {finished} of them finished"
    if command == "train" and unfinished:
        show_forecast(sweep, jobs, forecast(unfinished, sweep))


def _place(plan: Plan, sweep: Path) -> dict[str, RunDirectory]:
    """Make the directories of the jobs; returns them by key."""
    named = {key for job in plan.jobs for key in named_settings(list(job.overrides))}
    varying = [
        key for key in sorted(named) if len({str(job.settings.get(key)) for job in plan.jobs}) > 1
    ]
    return place_jobs(sweep, {job.key: job_overrides(job.overrides) for job in plan.jobs}, varying)


def _run_jobs(start: Callable[..., None], run_job: JobRunner) -> None:
    """Let Hydra run the jobs; report errors of its plug-ins, not of the jobs, in one line."""
    try:
        # A lambda: Hydra needs a function that has a file.
        start(lambda cfg: run_job(cfg))
    except (UserError, RunFailed, HydraException):
        raise
    except Exception as error:
        raise RunFailed(f"hydra.launcher or hydra.sweeper failed: {one_line(error)}") from error


def _report(command: str, plan: Plan, sweep: Path) -> int:
    """Print the jobs and write the report; return 0 if every job is finished, else 1.

    Of a search one finished job is enough, as trials may diverge.
    """
    with as_user_errors():
        runs = read_runs(sweep)
    show_sweep(sweep, runs)
    states = {run.state for run in runs}
    if command == "train" and states - {"waiting"}:
        # Pandas is slow to import, and every command line would wait for it.
        from src.report.run import show_report, write_report

        try:
            show_report(write_report([sweep]), plain_console())
        except UserError as error:
            log.error("error: %s", one_line(error))
            return 1
    finished = "finished" in states if plan.search else states == {"finished"}
    return 0 if finished else 1


def _repeated_command(sweep: Path) -> str:
    """The command that goes on with the sweep."""
    directory = ("sweep=", "hydra.sweep.dir=")
    words = [word for word in shlex.split(command_line()) if not word.startswith(directory)]
    name = sweep.name if sweep.parent == SWEEPS else str(sweep)
    if sweep.parent == Path():
        name = f".{os.sep}{sweep}"  # without a separator it would be taken for one of SWEEPS
    return shlex.join([*words, plain_override("sweep", name)])
