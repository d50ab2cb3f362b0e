"""Composition of configurations by Hydra: all jobs of a command line, checked before a start."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.core.utils import env_override
from hydra.errors import ConfigCompositionException, HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config.fields import typed
from src.config.run_key import flatten, run_key
from src.config.schema import DataConfig, TrainConfig
from src.config.validate import CONF, check
from src.errors import ConfigError, one_line
from src.text import nearest

PLUGINS = {
    "hydra/launcher": {
        "joblib": "joblib",
        "ray": "ray",
        "submitit_local": "submitit",
        "submitit_slurm": "submitit",
    },
    "hydra/sweeper": {"optuna": "optuna"},
}
"""The extra of this project that installs an option of Hydra's own groups."""

_BASIC_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


@dataclass(frozen=True)
class PlannedJob:
    """A run that a command line asks for.

    Attributes:
        overrides: ``key=value`` words of the run.
        config: checked configuration.
        settings: all settings by ``group.key``.
        key: hash of the settings, :func:`src.config.run_key.run_key`.
    """

    overrides: tuple[str, ...]
    config: TrainConfig
    settings: dict[str, Any]
    key: str


@dataclass(frozen=True)
class Plan:
    """The jobs of a command line.

    Attributes:
        jobs: one for a single run; for a search, one with the settings that its trials share.
        multirun: whether the jobs form a sweep.
        directory: directory of the run, or of the sweep.
        search: whether the sweeper chooses each job by the results of earlier ones.
        trials: number of trials of a search, if it is set.
    """

    jobs: tuple[PlannedJob, ...]
    multirun: bool
    directory: str
    search: bool = False
    trials: int | None = None


@contextmanager
def config_folders(further: str | None = None) -> Iterator[None]:
    """Let Hydra compose from ``conf/`` and from a further folder, that of ``--config-dir``."""
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        if further is not None:
            folders = create_config_search_path(str(CONF))
            path = f"file://{Path(further).resolve()}"
            folders.prepend("command-line", path, anchor="schema")
            GlobalHydra.instance().clear()
            Hydra.create_main_hydra2(task_name="app", config_search_path=folders)
        yield


def plan(
    config_name: str,
    overrides: list[str],
    multirun: bool = False,
    config_dir: str | None = None,
) -> Plan:
    """Compose and check all jobs of a command line.

    Args:
        config_name: the primary configuration, a file of ``conf/`` without its suffix.
        overrides: the command line's ``key=value`` words.
        multirun: whether ``-m`` was given; a recipe may also set it by ``hydra.mode``.
        config_dir: a further folder of configurations.
    """
    with config_folders(config_dir):
        parsed = parse(overrides)
        base = composed(config_name, _fixed(parsed), hydra=True)
        hydra = base.hydra
        multirun = multirun or str(OmegaConf.select(hydra, "mode")).endswith("MULTIRUN")
        if multirun:
            params = hydra.sweeper.get("params") or {}
            parsed = parse([f"{key}={value}" for key, value in params.items()]) + parsed
        search = multirun and hydra.sweeper.get("_target_") != _BASIC_SWEEPER
        if search:
            _check_search_direction(base)
        jobs = []
        with env_override(dict(hydra.job.env_set)):
            for number, job in enumerate(_jobs(parsed, multirun, search)):
                try:
                    jobs.append(_planned(config_name, job))
                except ConfigError as error:
                    where = f"job {number} ({' '.join(job)}): " if multirun else ""
                    raise ConfigError(f"{where}{error}") from error
        directory = str(hydra.sweep.dir if multirun else hydra.run.dir)
        trials = hydra.sweeper.get("n_trials") if search else None
        return Plan(tuple(jobs), multirun, directory, search, trials)


def _check_search_direction(base: DictConfig) -> None:
    """Check that a search maximizes accuracies and minimizes losses."""
    metric, direction = str(base.get("objective")), base.hydra.sweeper.get("direction")
    wanted = "minimize" if metric.endswith("loss") else "maximize"
    if direction is not None and str(direction).rpartition(".")[2].lower() != wanted:
        raise ConfigError(
            f"hydra.sweeper.direction={direction}: objective={metric} is to be {wanted}d; "
            f"set hydra.sweeper.direction={wanted}"
        )


def _planned(config_name: str, overrides: list[str]) -> PlannedJob:
    cfg = composed(config_name, overrides)
    config = check(cfg)
    settings = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    return PlannedJob(tuple(overrides), config, flatten(settings), run_key(settings))


def find_value(overrides: list[str], key: str) -> object:
    """The value that overrides give a key, or ``None``."""
    values = [item.value() for item in parse(overrides) if item.key_or_group == key]
    return values[-1] if values else None


def named_settings(overrides: list[str]) -> set[str]:
    """The settings in overrides as ``group.key``; the option of a group is its ``name``."""
    keys = {item.key_or_group for item in parse(overrides)}
    return {f"{key}.name" if (CONF / key).is_dir() else key for key in keys}


def hydra_override(key: str, value: str) -> str:
    """``key=value`` with the value quoted for Hydra's grammar."""
    return f"{key}={hydra_quoted(value)}"


def plain_override(key: str, value: str) -> str:
    """``key=value`` for a message: quoted only where the grammar needs it."""
    return f"{key}={value}" if re.fullmatch(r"[\w./-]+", value) else hydra_override(key, value)


def hydra_quoted(value: str) -> str:
    """A text in quotes, as Hydra's grammar reads them."""
    # A backslash stands for itself, except before a quote.
    escaped = re.sub(r"(\\+)(?='|\Z)", r"\1\1", value).replace("'", "\\'")
    return f"'{escaped}'"


def parse(overrides: list[str]) -> list[Override]:
    """Parse the ``key=value`` words of a command line by Hydra's grammar."""
    try:
        # Hydra has to be initialized for glob(*), which stands for the options of a group.
        loader = GlobalHydra.instance().config_loader() if GlobalHydra().is_initialized() else None
        parsed = OverridesParser.create(loader).parse_overrides(overrides)
    except (OverrideParseException, ValueError) as error:
        raise _not_understood(getattr(error, "override", " ".join(overrides))) from error
    for item in parsed:
        key = item.key_or_group
        if not key:
            raise _not_understood(str(item.input_line))
        if (CONF / key).is_dir() and not item.is_delete() and not _names_option(item):
            raise ConfigError(
                f"{item.input_line}: one of the options is needed "
                f"(accepted: {', '.join(_options(key))})"
            )
    return parsed


def _options(group: str) -> list[str]:
    """The options of a group in ``conf/``, and in further folders once Hydra is initialized."""
    if GlobalHydra().is_initialized():
        return sorted(GlobalHydra.instance().config_loader().get_group_options(group))
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def _names_option(item: Override) -> bool:
    value = item.value()
    if isinstance(value, list):
        return all(isinstance(option, str | QuotedString) for option in value)
    return value is not None


def _not_understood(word: str) -> ConfigError:
    return ConfigError(
        f"{word}: not understood; settings are written key=value "
        "(quote values with commas, spaces or brackets)"
    )


def _jobs(parsed: list[Override], multirun: bool, search: bool) -> list[list[str]]:
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    swept = [item.input_line for item in parsed if item.is_sweep_override()]
    if swept and not multirun:
        raise ConfigError(f"{swept[0]}: several values make a sweep; add -m to run it")
    if search:
        # The sweeper alone knows the values of the others.
        return [_fixed(parsed)]
    try:
        (jobs,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    except HydraException as error:
        raise ConfigError(
            f"{one_line(error)} (intervals and distributions are for a search: search=optuna)"
        ) from error
    return jobs


def _fixed(parsed: list[Override]) -> list[str]:
    """The overrides with a single value, which all jobs share."""
    return [str(item.input_line) for item in parsed if not item.is_sweep_override()]


def composed(config_name: str, overrides: list[str], hydra: bool = False) -> DictConfig:
    """Compose a primary configuration, inside of :func:`config_folders`."""
    try:
        return compose(config_name, overrides=overrides, return_hydra_config=hydra)
    except (HydraException, OmegaConfBaseException, ValueError, TypeError) as error:
        # ValueError and TypeError: Hydra uses some values before it checks them.
        raise ConfigError(explain(error, config_name)) from error


def data_settings(name: str, **changes: Any) -> DataConfig:
    """The settings of an option of ``conf/data/``, with changes, paths among them."""
    plain = {
        key: str(value) if isinstance(value, Path) else value for key, value in changes.items()
    }
    with config_folders():
        values = OmegaConf.to_container(composed("train", [f"data={name}"]).data)
    return cast(DataConfig, typed(DataConfig, cast(dict[str, Any], values) | plain, "data"))


def explain(error: Exception, config_name: str = "train") -> str:
    """A Hydra or OmegaConf error in one line, with a suggestion for an unknown name."""
    text = str(error)
    if missing := re.search(r"Cannot find primary config '([^']+)'", text):
        return f"--config-name {missing.group(1)}: no such file in conf/ or in --config-dir"
    if missing := re.search(r"Could not find '([^']+)/([^'/]*)'", text):
        group, option = missing.groups()
        if option in PLUGINS.get(group, {}):
            return f"{group}={option}: not installed; pip install '.[{PLUGINS[group][option]}]'"
        if options := [*PLUGINS[group], "basic"] if group in PLUGINS else _options(group):
            hint = nearest(option, options)
            return f"{group}={option}: no such option{hint} (accepted: {', '.join(options)})"
    if twice := re.search(r"Multiple values for ([^ ]+)\. To override .* use '(.+)'", text):
        group, line = twice.groups()
        return f"{group}: has an option already; leave out the + (in a file: {line})"
    if present := re.search(r"An item is already at '([^']+)'", text):
        return f"+{present.group(1)}: is there already; leave out the +"
    if unknown := re.search(r"Could not override '([^']+)'", text):
        return _explain_unknown_key(unknown.group(1), config_name)
    if isinstance(error, ConfigCompositionException) and error.__cause__ is not None:
        text = f"{text} {error.__cause__}"
    return one_line(Exception(text))


def _explain_unknown_key(key: str, config_name: str) -> str:
    known = list(_keys(OmegaConf.to_container(compose(config_name))))
    if key in known:
        return f"{key}: has been taken out with ~{key.partition('.')[0]}; leave one of them out"
    groups = sorted(path.name for path in CONF.iterdir() if path.is_dir())
    return f"{key}: no such setting{nearest(key, [*groups, *known])} (--cfg job shows all)"


def _keys(node: Any, prefix: str = "") -> Iterator[str]:
    """The keys of nested dictionaries, inner ones as ``group.key``."""
    for key, child in node.items() if isinstance(node, dict) else ():
        yield f"{prefix}{key}"
        yield from _keys(child, f"{prefix}{key}.")
