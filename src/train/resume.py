"""Resume a run: its configuration, and which settings may change."""

from dataclasses import dataclass
from math import inf
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from src.config.compose import find_value, parse
from src.config.fields import Flag
from src.config.schema import TrainConfig, settings_with
from src.config.validate import check
from src.errors import ConfigError, UserError, as_user_errors
from src.files import read_json, replacing
from src.runs.directory import RunDirectory
from src.runs.reader import read_config
from src.target_allowlist import check_targets
from src.text import nearest

CHANGEABLE_KEYS = settings_with(Flag.CHANGEABLE)
"""Settings that may change: how long and where a run continues, not what it trains."""


@dataclass(frozen=True)
class Continuation:
    """A run to resume, with the settings changed on the command line."""

    directory: RunDirectory
    config: TrainConfig
    text: str  # the configuration as YAML
    changed: DictConfig | None  # the configuration to save, if a setting differs from the run's

    def save(self) -> None:
        """Write changed settings into the run directory."""
        if self.changed is not None:
            with as_user_errors(), replacing(self.directory.config) as file:
                OmegaConf.save(self.changed, file)


def find_continuation(overrides: list[str], multirun: bool) -> Continuation | None:
    """The run that ``resume=<directory>`` names, or None without such an override."""
    named = find_value(overrides, "resume")
    if not named:
        return None
    if multirun:
        raise ConfigError("resume: continues one run; leave out -m")
    directory = RunDirectory(Path(str(named)).expanduser())
    _check_directory(directory)
    cfg = read_config(directory)
    changed = _change(cfg, overrides)
    cfg.resume = str(directory.path)
    config = check(cfg)
    trusted = find_value(overrides, "trust") or []
    if not isinstance(trusted, list):
        raise ConfigError(f"trust={trusted}: a list is needed, trust=[{trusted}]")
    for settings in (config.model, config.optimizer):
        check_targets(directory.config, settings, [str(name) for name in trusted])
    _check_unfinished(directory, config)
    text = OmegaConf.to_yaml(cfg).rstrip()
    return Continuation(directory, config, text, cfg if changed else None)


def _change(cfg: DictConfig, overrides: list[str]) -> bool:
    """Apply overrides to a run's configuration; return whether one differs from it."""
    changed = False
    for item in parse(overrides):
        key = item.key_or_group
        if key in ("resume", "trust") or key.startswith("hydra."):
            continue
        plain = not (item.is_sweep_override() or item.is_add() or item.is_delete())
        if key not in CHANGEABLE_KEYS or not plain:
            raise ConfigError(
                f"{item.input_line}: a resumed run keeps its settings"
                f"{nearest(key, CHANGEABLE_KEYS)} (what may change: {', '.join(CHANGEABLE_KEYS)})"
            )
        changed = changed or OmegaConf.select(cfg, key) != item.value()
        OmegaConf.update(cfg, key, item.value())
    return changed


def _check_directory(directory: RunDirectory) -> None:
    path = directory.path
    if not path.is_dir():
        raise UserError(f"resume={path}: no such directory")
    if not directory.config.exists():
        raise UserError(f"resume={path}: not a run directory (it has no .hydra/config.yaml)")
    if not directory.resumable:
        raise UserError(
            f"resume={path}: nothing to continue from (no checkpoints/last.ckpt); "
            "the run ended before its first checkpoint, start it anew"
        )


def _check_unfinished(directory: RunDirectory, config: TrainConfig) -> None:
    with as_user_errors():
        metrics = read_json(directory.metrics)
        state = read_json(directory.record).get("state")
    epochs, steps = metrics.get("epochs", 0), metrics.get("steps", 0)
    if not isinstance(epochs, int) or not isinstance(steps, int):
        raise UserError(f"{directory.metrics}: epochs and steps must be whole numbers")
    trainer = config.trainer
    done = epochs >= (trainer.max_epochs or inf) or steps >= (trainer.max_steps or inf)
    if state == "finished" and done:
        raise UserError(
            f"resume={directory.path}: this run is finished ({epochs} epochs, {steps} steps); "
            "raise trainer.max_epochs to train on"
        )
