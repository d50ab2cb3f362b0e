"""Entry of ``train`` and ``benchmark``: compose, check, run in a job directory, or sweep.

Everything up to the first job needs no torch, so a mistake is answered in about a second.
"""

import logging
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from hydra import version
from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from src.cli.exit_codes import FULL_ERROR, exit_with
from src.config.compose import Plan, parse, plan
from src.config.overrides import hydra_override
from src.config.schema import TrainConfig
from src.config.validate import CONF, check
from src.console import LOG_FILE_ONLY
from src.distributed.join import join_run, needs_local_launch, rank_overrides
from src.distributed.launcher import launch_ranks
from src.distributed.ranks import detect_launcher, this_rank
from src.errors import ConfigError, RunFailed, UserError, one_line
from src.process.parent_watch import stop_with_parent
from src.runs.claim import create_run_directory, open_sweep_directory
from src.runs.directory import RunDirectory
from src.runs.record import remember_command
from src.sweep.run import run_sweep
from src.train.resume import Continuation, find_continuation

log = logging.getLogger(__name__)
SEARCH_PATH = "hydra.searchpath"
Job = Callable[[DictConfig], float | None]


def launch(config_name: str, workflow: str) -> NoReturn:
    """Run the command line in ``sys.argv`` and exit with its code.

    0: all went well; 1: a run failed; 2: something the user can put right; 130 and 143:
    stopped by Ctrl-C and by SIGTERM.

    Args:
        config_name: the primary configuration, a file of ``conf/`` without its suffix.
        workflow: the module whose ``run(config, directory)`` does one job and returns its
            figures; imported only when the whole command line has been found to be right.
    """
    stop_with_parent()
    full_error = os.environ.get(FULL_ERROR, "")
    exit_with(lambda: _launch(config_name, workflow, full_error))


def _launch(config_name: str, workflow: str, full_error: str) -> int:
    remember_command(config_name, sys.argv[1:])
    # Wherever it is typed: the parser takes options only in front or behind.
    flags = [word for word in sys.argv[1:] if word in ("-m", "--multirun")]
    rest = [word for word in sys.argv[1:] if word not in flags]
    arguments = get_args_parser().parse_args([*flags, *rest])
    if arguments.help or arguments.hydra_help or arguments.shell_completion or arguments.info:
        run_hydra(config_name, arguments, lambda cfg: None)
        return 0
    _check_hydra(config_name, arguments)
    if arguments.cfg and arguments.multirun:
        raise ConfigError(f"--cfg {arguments.cfg} shows one run: leave out -m and give one value")
    arguments.overrides += detect_launcher(arguments.overrides, arguments.multirun)
    if not this_rank().first:
        warnings.simplefilter("ignore")  # the first rank has the same
    continuation = None
    if config_name == "train":
        continuation = find_continuation(arguments.overrides, arguments.multirun)
    if continuation and arguments.cfg:
        print(continuation.text)
        return 0
    if continuation:
        return _continue(config_name, continuation, workflow)
    primary = arguments.config_name or config_name
    asked = plan(primary, arguments.overrides, arguments.multirun, arguments.config_dir)
    if arguments.cfg:
        run_hydra(config_name, arguments, lambda cfg: None)
        return 0
    return _begin(config_name, workflow, asked, arguments, full_error)


def _check_hydra(config_name: str, arguments: Namespace) -> None:
    """Refuse settings of Hydra that this command cannot work with."""
    if arguments.config_path is not None:
        raise ConfigError(
            f"--config-path {arguments.config_path}: would take the place of conf/; "
            "--config-dir adds a folder to it"
        )
    if arguments.config_dir is not None and not Path(arguments.config_dir).is_dir():
        raise ConfigError(f"--config-dir {arguments.config_dir}: no such folder")
    named, overrides = arguments.config_name, arguments.overrides
    if named not in (None, config_name) and (CONF / f"{named}.yaml").exists():
        raise ConfigError(
            f"--config-name {named}: is the configuration of src.{named}; leave it out"
        )
    for item in parse(overrides):
        if item.key_or_group == SEARCH_PATH:
            _check_search_path(item.value())
        if item.key_or_group == "hydra.output_subdir" and item.value() != ".hydra":
            raise ConfigError(
                f"{item.input_line}: later commands read a run's configuration in .hydra; "
                "leave it out"
            )


def _check_search_path(paths: object) -> None:
    """Refuse folders that are not there, of which Hydra only warns."""
    for path in map(str, paths if isinstance(paths, list) else []):
        folder = path.removeprefix("file://")
        if "://" not in folder and not Path(folder).is_dir():
            raise ConfigError(f"{SEARCH_PATH}: {path}: no such folder")


def _begin(
    config_name: str, workflow: str, asked: Plan, arguments: Namespace, full_error: str
) -> int:
    """Do what a command line asks for that continues no single run."""
    overrides = arguments.overrides
    together = [job for job in asked.jobs if needs_local_launch(config_name, job.config.trainer)]
    key = "hydra.sweep.dir" if asked.multirun else "hydra.run.dir"
    chosen = any(word.startswith(f"{key}=") for word in overrides)
    if this_rank().started_by:
        overrides += join_run(Path(asked.directory), chosen=chosen)
        return _run_single(config_name, arguments, lambda cfg: _do(check(cfg), workflow))
    place = open_sweep_directory(overrides, multirun=asked.multirun, chosen=chosen)
    place = place or create_run_directory(Path(asked.directory), key, chosen=chosen)
    if together and not asked.multirun:
        return launch_ranks(f"src.{config_name}", place, together[0].config.trainer.devices)
    overrides.append(hydra_override(key, str(place)))
    if asked.multirun:
        # Each job writes its configuration into its own directory.
        overrides.append("hydra.output_subdir=null")
        # Its jobs know of no other setting of that variable than the user's.
        environment = {FULL_ERROR: full_error}
        start = partial(run_hydra, config_name, arguments)
        return run_sweep(config_name, asked, place, start, environment, _look_up(arguments))
    return _run_single(config_name, arguments, lambda cfg: _do(check(cfg), workflow))


def _look_up(arguments: Namespace) -> list[str]:
    """The words that say where configurations are found, for the jobs of a sweep."""
    words = []
    if arguments.config_dir is not None:
        words += ["--config-dir", str(Path(arguments.config_dir).resolve())]
    if arguments.config_name is not None:
        words += ["--config-name", arguments.config_name]
    found = [item for item in parse(arguments.overrides) if item.key_or_group == SEARCH_PATH]
    return [*words, *(str(item.input_line) for item in found)]


def _continue(config_name: str, continuation: Continuation, workflow: str) -> int:
    trainer = continuation.config.trainer
    if needs_local_launch(config_name, trainer):
        return launch_ranks(f"src.{config_name}", continuation.directory.path, trainer.devices)
    run_dir = str(continuation.directory.path)
    words = [
        hydra_override("resume", run_dir),
        hydra_override("hydra.run.dir", run_dir),
        # The run's own record of its configuration stays as it is.
        "hydra.output_subdir=null",
        *rank_overrides(),
    ]
    arguments = get_args_parser().parse_args(words)
    begun = {"begun": continuation.save} if this_rank().first else {}
    return _run_single(
        config_name, arguments, lambda cfg: _do(continuation.config, workflow, **begun)
    )


def run_hydra(config_name: str, arguments: Namespace, job: Job) -> None:
    """Have Hydra run ``job`` as the arguments say, or print what they ask for."""
    version.setbase("1.3")
    before = os.environ.get(FULL_ERROR, "")
    # With it Hydra raises; without, it prints a traceback of its own and exits with 1.
    os.environ[FULL_ERROR] = "1"
    try:
        _run_hydra(arguments, get_args_parser(), job, str(CONF), config_name)
    finally:
        # Not for the processes that are started from here.
        os.environ[FULL_ERROR] = before


def _do(config: TrainConfig, workflow: str, **hooks: Callable[[], None]) -> float | None:
    directory = RunDirectory(Path(HydraConfig.get().runtime.output_dir))
    metrics = import_module(workflow).run(config, directory, **hooks)
    value = metrics.get(config.run.objective)
    return float("nan") if value is None else float(value)


def _run_single(config_name: str, arguments: Namespace, do: Job) -> int:
    errors: list[Exception] = []

    def job(cfg: DictConfig) -> float | None:
        try:
            return do(cfg)
        except Exception as error:
            # Raised again once Hydra is out of the way: it would print a line of its own.
            errors.append(error)
            known = isinstance(error, (UserError, RunFailed))
            log.error("error: %s", one_line(error), exc_info=not known, extra=LOG_FILE_ONLY)
            return None

    run_hydra(config_name, arguments, job)
    if errors:
        raise errors[0]
    return 0
