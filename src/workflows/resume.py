"""Continuing a run: its own configuration, in its own directory."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config import ConfigError, TrainConfig, UserError, as_user_errors, check
from src.config.compose import value_overrides
from src.config.errors import one_line
from src.files import read_json, replacing
from src.runs import RunDirectory


@dataclass(frozen=True)
class Continuation:
    """A run to continue.

    Attributes:
        directory: the run.
        config: its configuration, with the settings changed on the command line.
    """

    directory: RunDirectory
    config: TrainConfig


def find_continuation(overrides: list[str], multirun: bool) -> Continuation | None:
    """The run that a ``resume=<directory>`` among the overrides names, if there is one.

    Raises:
        UserError: no run, no checkpoint or no configuration is there, the run is complete,
            or the other overrides cannot be applied to a run that has begun.
    """
    named = [word.partition("=")[2] for word in overrides if word.startswith("resume=")]
    if not named or named[-1] in ("", "null"):
        return None
    if multirun:
        raise ConfigError("resume: continues one run; leave out -m")
    directory = RunDirectory(Path(named[-1].strip("'\"")))
    _check_directory(directory)
    cfg = _read_config(directory)
    changes = value_overrides(overrides, without="resume")
    for key, value in changes:
        if OmegaConf.select(cfg, key, default=cfg) is cfg:
            raise ConfigError(f"{key}: the run in {directory.path} has no such setting")
        OmegaConf.update(cfg, key, value)
    cfg.resume = str(directory.path)
    config = check(cfg)
    _check_unfinished(directory, config)
    if changes:
        with as_user_errors(), replacing(directory.config) as file:
            OmegaConf.save(cfg, file)
    return Continuation(directory, config)


def _check_directory(directory: RunDirectory) -> None:
    path = directory.path
    if not path.is_dir():
        raise UserError(f"resume={path}: no such directory")
    if not directory.config.exists():
        raise UserError(f"resume={path}: not a run directory (it has no .hydra/config.yaml)")
    if not directory.last.exists():
        raise UserError(
            f"resume={path}: nothing to continue from (no checkpoints/last.ckpt); "
            "the run ended before its first checkpoint, start it anew"
        )


def _read_config(directory: RunDirectory) -> DictConfig:
    try:
        cfg = OmegaConf.load(directory.config)
    except (OSError, ValueError, OmegaConfBaseException) as error:
        raise UserError(f"{directory.config}: cannot be read ({one_line(error)})") from error
    if not isinstance(cfg, DictConfig):
        raise UserError(f"{directory.config}: holds no configuration")
    return cfg


def _check_unfinished(directory: RunDirectory, config: TrainConfig) -> None:
    with as_user_errors():
        metrics = read_json(directory.metrics)
        state = read_json(directory.record).get("state")
    epochs, steps = config.trainer.max_epochs, config.trainer.max_steps
    done = (epochs is not None and metrics.get("epochs", 0) >= epochs) or (
        steps is not None and metrics.get("steps", 0) >= steps
    )
    if state == "finished" and done:
        raise UserError(
            f"resume={directory.path}: this run is finished ({metrics.get('epochs')} epochs, "
            f"{metrics.get('steps')} steps); raise trainer.max_epochs to train on"
        )
