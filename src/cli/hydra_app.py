"""Entry point of ``train`` and ``benchmark``: compose, check, run in a job directory, or sweep.

Nothing before the first job imports torch, so that mistakes are reported in about a second.
"""

import logging
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

from hydra import version
from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import env_override
from omegaconf import DictConfig

from src.cli.exit_codes import FULL_ERROR, exit_with
from src.config.compose import Plan, hydra_override, parse, plan
from src.config.validate import CONF, check
from src.console import LOG_FILE_ONLY
from src.distributed.join import join_run, needs_local_launch, rank_overrides
from src.distributed.launcher import launch_ranks
from src.distributed.ranks import detect_launcher, this_rank
from src.errors import ConfigError, RunFailed, UserError, one_line
from src.process.child import stop_with_parent
from src.process.signals import import_uninterrupted
from src.runs.directory import RunDirectory, create_run_directory, open_sweep_directory
from src.sweep.run import run_sweep
from src.train.resume import Continuation, find_continuation

log = logging.getLogger(__name__)
SEARCH_PATH = "hydra.searchpath"


def launch(config_name: str) -> NoReturn:
    """Run the command line in ``sys.argv`` and exit with its code.

    Args:
        config_name: the primary configuration, a file of ``conf/`` without its suffix. The
            function ``run(config, directory)`` of ``src.<config_name>.run`` does one job.
    """
    stop_with_parent()
    exit_with(lambda: _launch(config_name))


def _launch(config_name: str) -> int:
    # argparse takes options only before or after all overrides; -m may stand among them.
    arguments = get_args_parser().parse_args(
        sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))
    )
    if arguments.help or asks_for_hydra_page(arguments):
        run_hydra(config_name, arguments)
        return 0
    _check_hydra(config_name, arguments)
    arguments.overrides += detect_launcher(arguments.overrides, arguments.multirun)
    if not this_rank().first:
        warnings.simplefilter("ignore")  # the first rank prints the same
    if config_name == "train" and (
        continuation := find_continuation(arguments.overrides, arguments.multirun)
    ):
        if arguments.cfg:
            print(continuation.text)
            return 0
        return _continue_run(config_name, continuation)
    primary = arguments.config_name or config_name
    planned = plan(primary, arguments.overrides, arguments.multirun, arguments.config_dir)
    if arguments.cfg:
        run_hydra(config_name, arguments)
        return 0
    return _start_run_or_sweep(config_name, planned, arguments)


def asks_for_hydra_page(arguments: Namespace) -> bool:
    """Whether Hydra itself answers the command line."""
    return bool(arguments.hydra_help or arguments.shell_completion or arguments.info)


def _check_hydra(config_name: str, arguments: Namespace) -> None:
    """Refuse options and settings of Hydra that this project does not support."""
    if arguments.config_path is not None:
        raise ConfigError(
            f"--config-path {arguments.config_path}: would take the place of conf/; "
            "to add a folder to it use --config-dir <folder>"
        )
    if arguments.config_dir is not None and not Path(arguments.config_dir).is_dir():
        raise ConfigError(f"--config-dir {arguments.config_dir}: no such folder")
    named = arguments.config_name
    if named not in (None, config_name) and (CONF / f"{named}.yaml").exists():
        raise ConfigError(
            f"--config-name {named}: is the configuration of src.{named}; leave it out"
        )
    if arguments.cfg and arguments.multirun:
        raise ConfigError(
            f"--cfg {arguments.cfg}: shows one run; leave out -m and give each setting one value"
        )
    for item in parse(arguments.overrides):
        if item.key_or_group == SEARCH_PATH:
            _check_search_path(item.value())
        if item.key_or_group == "hydra.output_subdir" and item.value() != ".hydra":
            raise ConfigError(
                f"{item.input_line}: other commands read a run's configuration from .hydra; "
                "leave it out"
            )


def _check_search_path(paths: object) -> None:
    """Refuse missing folders, of which Hydra only warns."""
    for path in map(str, paths if isinstance(paths, list) else []):
        folder = path.removeprefix("file://")
        if "://" not in folder and not Path(folder).is_dir():
            raise ConfigError(f"{SEARCH_PATH}: {path}: no such folder")


def _start_run_or_sweep(config_name: str, planned: Plan, arguments: Namespace) -> int:
    """Begin a new run, or begin or go on with a sweep."""

    def job(cfg: DictConfig, directory: RunDirectory) -> None:
        import_uninterrupted(f"src.{config_name}.run").run(check(cfg), directory)

    overrides = arguments.overrides
    needs_ranks = [needs_local_launch(config_name, run.config.trainer) for run in planned.jobs]
    key = "hydra.sweep.dir" if planned.multirun else "hydra.run.dir"
    chosen = any(word.startswith(f"{key}=") for word in overrides)
    if this_rank().started_by:
        overrides += join_run(Path(planned.directory), chosen=chosen)
        return _run_single(config_name, arguments, job)
    directory = open_sweep_directory(overrides, multirun=planned.multirun, chosen=chosen)
    directory = directory or create_run_directory(Path(planned.directory), key, chosen=chosen)
    if planned.multirun:
        # Each job writes its configuration into its own directory.
        overrides += [hydra_override(key, str(directory)), "hydra.output_subdir=null"]
        start = partial(run_hydra, config_name, arguments)
        # run_hydra sets the variable in this process; the jobs get the user's value.
        environment = {FULL_ERROR: os.environ.get(FULL_ERROR, "")}
        options = _config_options(arguments)
        return run_sweep(config_name, planned, directory, start, environment, options)
    if needs_ranks[0]:
        devices = planned.jobs[0].config.trainer.devices
        return launch_ranks(f"src.{config_name}", directory, devices)
    overrides.append(hydra_override(key, str(directory)))
    return _run_single(config_name, arguments, job)


def _config_options(arguments: Namespace) -> list[str]:
    """The words of the command line that say where configurations are found."""
    options = []
    if arguments.config_dir is not None:
        options += ["--config-dir", arguments.config_dir]
    if arguments.config_name is not None:
        options += ["--config-name", arguments.config_name]
    parsed = parse(arguments.overrides)
    return options + [str(item.input_line) for item in parsed if item.key_or_group == SEARCH_PATH]


def _continue_run(config_name: str, continuation: Continuation) -> int:
    config, path = continuation.config, continuation.directory.path
    if needs_local_launch(config_name, config.trainer):
        return launch_ranks(f"src.{config_name}", path, config.trainer.devices)
    overrides = [
        hydra_override("resume", str(path)),
        hydra_override("hydra.run.dir", str(path)),
        # Do not overwrite the run's .hydra/.
        "hydra.output_subdir=null",
        *rank_overrides(),
    ]
    hooks = {"begun": continuation.save} if this_rank().first else {}

    def job(cfg: DictConfig, directory: RunDirectory) -> None:
        import_uninterrupted(f"src.{config_name}.run").run(config, directory, **hooks)

    return _run_single(config_name, get_args_parser().parse_args(overrides), job)


def run_hydra(
    config_name: str, arguments: Namespace, job: Callable[[DictConfig], object] = lambda cfg: None
) -> None:
    """Run ``job`` by Hydra, or print what its options ask for (``--help``, ``--cfg``)."""
    version.setbase("1.3")
    # Hydra then raises errors instead of printing a traceback and exiting with 1.
    with env_override({FULL_ERROR: "1"}):
        _run_hydra(arguments, get_args_parser(), job, str(CONF), config_name)


def _run_single(
    config_name: str, arguments: Namespace, job: Callable[[DictConfig, RunDirectory], None]
) -> int:
    """Run a job by Hydra and raise its error, of which Hydra would print a line of its own."""
    errors: list[Exception] = []

    def logged_job(cfg: DictConfig) -> None:
        try:
            job(cfg, RunDirectory(Path(HydraConfig.get().runtime.output_dir)))
        except Exception as error:
            errors.append(error)
            known = isinstance(error, (UserError, RunFailed))
            log.error("error: %s", one_line(error), exc_info=not known, extra=LOG_FILE_ONLY)

    run_hydra(config_name, arguments, logged_job)
    if errors:
        raise errors[0]
    return 0
