"""Entry point of evaluate, predict, export and report: no job directory, no sweep."""

import logging
from typing import NoReturn

from hydra._internal.utils import get_args_parser
from omegaconf import OmegaConf

from src.cli.exit_codes import exit_with
from src.cli.hydra_app import asks_for_hydra_page, run_hydra
from src.config.compose import composed, config_folders, hydra_override, parse
from src.config.validate import CONF, check_command
from src.console import ScreenHandler
from src.errors import ConfigError, RunFailed, is_out_of_memory
from src.process.signals import import_uninterrupted

_PATHS = ("run", "ckpt", "against", "input", "output", "sweep")
"""Settings to whose values Hydra's grammar of brackets and commas is not applied."""


def command(name: str) -> NoReturn:
    """Run a command of ``src.config.schema.COMMANDS`` and exit with its code.

    ``run(settings, changes)`` of the command's module ``run`` does the work and returns the exit
    code; ``changes`` are the overrides of ``data``, for the run's own configuration.
    """
    exit_with(lambda: _run_command(name))


def _run_command(name: str) -> int:
    arguments = get_args_parser().parse_args()
    if arguments.help:
        print(_help(name))
        return 0
    if asks_for_hydra_page(arguments):
        run_hydra(name, arguments)
        return 0
    for option in ("config-name", "config-dir", "config-path"):
        if getattr(arguments, option.replace("-", "_")) is not None:
            raise ConfigError(f"--{option}: src.{name} has one configuration; leave it out")
    if arguments.multirun:
        raise ConfigError(f"-m: src.{name} cannot be swept; leave it out, start it once a value")
    overrides = parse([_quote_path(word) for word in arguments.overrides])
    changes = [item for item in overrides if str(item.key_or_group).partition(".")[0] == "data"]
    own = [str(item.input_line) for item in overrides if item not in changes]
    with config_folders():
        cfg = composed(name, own)
    if arguments.cfg:
        print(OmegaConf.to_yaml(cfg).rstrip())
        return 0
    settings = check_command(name, cfg)
    logging.basicConfig(
        level=logging.INFO, format="%(message)s", handlers=[ScreenHandler()], force=True
    )
    try:
        return int(import_uninterrupted(f"src.{name}.run").run(settings, changes))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        size = getattr(settings, "batch_size", 1)
        way_out = f" with batch_size={size}; try batch_size={size // 2}" if size > 1 else ""
        raise RunFailed(f"out of memory{way_out}") from error


def _help(name: str) -> str:
    """The help page, with the settings as in their file.

    Hydra's own page shows them composed, without the comments that say what each accepts.
    """
    page = OmegaConf.load(CONF / "hydra" / "help" / f"{name}.yaml")
    template: str = OmegaConf.create({"hydra": {"help": page}}).hydra.help.template
    _, settings, _ = (CONF / f"{name}.yaml").read_text().split("\n\n", 2)
    return template.replace("$CONFIG", settings).rstrip()


def _quote_path(override: str) -> str:
    key, _, value = override.partition("=")
    is_quoted = len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]
    is_list = key == "sweep" and value.startswith("[") and value.endswith("]")
    if key not in _PATHS or is_quoted or is_list or value in ("", "null"):
        return override
    return hydra_override(key, value)
