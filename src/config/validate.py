"""Validation of a composed configuration: types, ranges, contradictions between settings."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config.fields import typed
from src.config.optimization import OPTIMIZERS, SCHEDULERS, CustomOptimizerConfig
from src.config.schema import (
    COMMANDS,
    FLAT_GROUPS,
    BenchmarkConfig,
    PredictConfig,
    ReportConfig,
    ResNetConfig,
    RunChoice,
    RunSettings,
    TrainConfig,
    TrainerConfig,
)
from src.errors import ConfigError, one_line
from src.text import nearest

CONF = Path(__file__).resolve().parents[2] / "conf"
BUILD_MODEL = "src.models.build_model"
BACKBONES_BY_NAME = ("src.models.build_torchvision", "src.models.build_timm")


def check(cfg: DictConfig) -> TrainConfig:
    """Check a composed configuration, without its ``hydra`` node.

    Raises:
        ConfigError: an unknown key, a wrong type, a value out of range, or settings that
            contradict each other.
    """
    groups = {"model", "optimizer", "scheduler", *FLAT_GROUPS}
    if "benchmark" in cfg:
        groups.add("benchmark")
    try:
        top = {str(key): cfg[key] for key in cfg if key not in groups}
    except OmegaConfBaseException as error:
        raise ConfigError(
            f"{error.full_key}: {one_line(error).partition(' full_key')[0]}"
        ) from error
    config = TrainConfig(
        run=typed(RunSettings, top, "", also=groups),
        model=_model(_group(cfg, "model")),
        optimizer=_named(_group(cfg, "optimizer"), "optimizer", OPTIMIZERS, custom=True),
        scheduler=_named(_group(cfg, "scheduler"), "scheduler", SCHEDULERS),
        **{name: typed(kind, _group(cfg, name), name) for name, kind in FLAT_GROUPS.items()},
        benchmark=_benchmark(cfg) if "benchmark" in cfg else None,
    )
    _check_data(config)
    _check_trainer(config.trainer)
    _check_scheduler(config)
    _check_model_and_optimizer(config)
    _check_callbacks(config)
    if config.benchmark is not None:
        _check_benchmark(config.trainer)
    return config


def check_command(name: str, cfg: DictConfig) -> Any:
    """Check the settings of evaluate, predict, export or report."""
    values = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    settings = typed(COMMANDS[name], values, "")
    if isinstance(settings, RunChoice) and (settings.run is None) == (settings.ckpt is None):
        raise ConfigError("which run? give run=<run directory> or ckpt=<checkpoint file>")
    if isinstance(settings, PredictConfig) and not settings.input:
        raise ConfigError("which images? give input=<file, folder or pattern>")
    if isinstance(settings, ReportConfig) and not settings.sweep:
        raise ConfigError("which runs? give sweep=<sweep directory> or sweep=[<one>,<another>]")
    return settings


def _benchmark(cfg: DictConfig) -> BenchmarkConfig:
    settings = cast(BenchmarkConfig, typed(BenchmarkConfig, _group(cfg, "benchmark"), "benchmark"))
    if settings.mode == "training" and "ours" not in settings.contenders:
        raise ConfigError(
            f"benchmark.contenders={settings.contenders}: ours is what the others are compared "
            "with; add it"
        )
    if not settings.contenders or len(set(settings.contenders)) < len(settings.contenders):
        raise ConfigError(
            f"benchmark.contenders={settings.contenders}: each once, for example [ours,bare]"
        )
    if cfg.get("resume"):
        raise ConfigError(f"resume={cfg.resume}: a benchmark has nothing to continue; leave it out")
    return settings


def _group(cfg: DictConfig, name: str) -> dict[str, Any]:
    group = cfg.get(name)
    if not OmegaConf.is_dict(group):
        raise ConfigError(f"{name}={group}: a group of settings is needed; see conf/{name}/")
    try:
        return cast(dict[str, Any], OmegaConf.to_container(group, resolve=True))
    except OmegaConfBaseException as error:
        raise ConfigError(f"{name}: {one_line(error)}") from error


def _model(values: dict[str, Any]) -> ResNetConfig | dict[str, Any]:
    target = values.get("_target_")
    if target == BUILD_MODEL:
        model = cast(ResNetConfig, typed(ResNetConfig, values, "model"))
        # Without torchvision, timm and custom, whose networks are built elsewhere.
        names = sorted(path.stem for path in (CONF / "model").glob("*res*.yaml"))
        if model.name not in names:
            raise ConfigError(
                f"model.name={model.name}: no such network{nearest(model.name, names)} "
                f"(accepted: {', '.join(names)})"
            )
        return model
    _check_target("model", values)
    if target in BACKBONES_BY_NAME and not values.get("name"):
        raise ConfigError("model.name: which network? for example model.name=mobilenet_v3_small")
    return values


def _named(values: dict[str, Any], group: str, kinds: dict[str, type], custom: bool = False) -> Any:
    """Check the settings of an optimizer or a schedule."""
    if custom and values.get("name") == "custom":
        _check_target(group, values)
        typed(CustomOptimizerConfig, values, group)
        return values
    name = values.get("name")
    if not isinstance(name, str) or name not in kinds:
        known = [*kinds, "custom"] if custom else list(kinds)
        raise ConfigError(
            f"{group}.name={name}: not an option{nearest(str(name), known)} "
            f"(accepted: {', '.join(known)})"
        )
    return typed(kinds[name], values, group)


def _check_target(group: str, values: dict[str, Any]) -> None:
    target = values.get("_target_")
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", str(target or "")):
        raise ConfigError(
            f"{group}._target_={target}: the dotted path of a class is needed, "
            f"for example {group}._target_=my_package.MyClass"
        )


def _check_benchmark(trainer: TrainerConfig) -> None:
    for key, value in (("devices", trainer.devices), ("num_nodes", trainer.num_nodes)):
        if value > 1:
            raise ConfigError(f"trainer.{key}={value}: a benchmark measures one device")
    if trainer.accumulate_grad_batches > 1 or trainer.gradient_clip_norm is not None:
        raise ConfigError(
            "trainer.accumulate_grad_batches and trainer.gradient_clip_norm: the loops that a "
            "benchmark compares with have neither; leave them out"
        )


def _check_data(config: TrainConfig) -> None:
    data, augment = config.data, config.augment
    if data.name == "shapes" and data.root is not None:
        raise ConfigError(
            f"data.root={data.root}: data=shapes is drawn; it has no files, leave it out"
        )
    if data.resident == "always" and data.num_workers:
        raise ConfigError(
            f"data.resident=always with data.num_workers={data.num_workers}: images that are on "
            "the device need no loader processes; leave one of them out"
        )
    if data.mean == [] or data.std == []:
        raise ConfigError("data.mean and data.std: one value per channel, or null to measure them")
    if data.channels == 2:
        raise ConfigError("data.channels=2: an image has 1 (gray) or 3 (RGB) channels")
    if data.mean and data.std and len(data.mean) != len(data.std):
        raise ConfigError(
            f"data.mean has {len(data.mean)} values and data.std {len(data.std)}: "
            "give one of each per channel"
        )
    if (data.mean is None) != (data.std is None):
        raise ConfigError("data.mean and data.std belong together: give both, or null for both")
    if data.name == "folder" and data.root is None:
        raise ConfigError("data.root: where are the images? give a folder or an archive")
    if data.image_size and max(augment.crop_padding, augment.cutout) >= data.image_size:
        raise ConfigError(
            f"augment.crop_padding={augment.crop_padding}, augment.cutout={augment.cutout}: "
            f"both must be smaller than data.image_size={data.image_size}"
        )
    ranks = config.trainer.devices * config.trainer.num_nodes
    if data.batch_size < ranks:
        raise ConfigError(
            f"data.batch_size={data.batch_size}: the {ranks} devices share a batch; "
            f"choose {ranks} or more"
        )


def _check_trainer(trainer: TrainerConfig) -> None:
    if trainer.max_epochs is None and trainer.max_steps is None:
        raise ConfigError("trainer.max_epochs and trainer.max_steps: one of them must be set")
    if trainer.max_epochs and trainer.check_val_every_n_epoch > trainer.max_epochs:
        raise ConfigError(
            f"trainer.check_val_every_n_epoch={trainer.check_val_every_n_epoch}: the run of "
            f"trainer.max_epochs={trainer.max_epochs} would never be validated"
        )
    if trainer.accelerator == "cpu" and trainer.precision == "16-mixed":
        raise ConfigError(
            "trainer.precision=16-mixed: float16 needs a GPU; on a CPU use bf16-mixed or 32-true"
        )
    if trainer.accelerator == "cpu" and trainer.sync_batchnorm:
        raise ConfigError("trainer.sync_batchnorm=true: torch has it for GPUs alone; leave it out")


def _check_scheduler(config: TrainConfig) -> None:
    trainer, schedule = config.trainer, config.scheduler
    if trainer.max_epochs and schedule.warmup_epochs >= trainer.max_epochs:
        raise ConfigError(
            f"scheduler.warmup_epochs={schedule.warmup_epochs:g}: must be shorter than the run "
            f"(trainer.max_epochs={trainer.max_epochs})"
        )
    total_epochs = getattr(schedule, "total_epochs", None)
    if total_epochs is not None and total_epochs <= schedule.warmup_epochs:
        raise ConfigError(
            f"scheduler.total_epochs={total_epochs:g}: must be more than "
            f"scheduler.warmup_epochs={schedule.warmup_epochs:g}"
        )
    milestones = getattr(schedule, "milestones", [])
    if any(a >= b for a, b in pairwise(milestones)):
        raise ConfigError(f"scheduler.milestones={milestones}: must increase, as [100,150]")


def _check_model_and_optimizer(config: TrainConfig) -> None:
    model, optimizer = config.model, config.optimizer
    if isinstance(model, ResNetConfig) and model.zero_init_residual and model.shortcut == "none":
        raise ConfigError(
            "model.zero_init_residual=true with model.shortcut=none: nothing would pass "
            "through the blocks; leave one of them out"
        )
    betas = getattr(optimizer, "betas", [0, 0])
    if len(betas) != 2:
        raise ConfigError(f"optimizer.betas={betas}: two values are needed, as [0.9,0.999]")
    if getattr(optimizer, "nesterov", False) and optimizer.momentum == 0:
        raise ConfigError(
            "optimizer.nesterov=true: needs optimizer.momentum above 0; "
            "for plain SGD add optimizer.nesterov=false"
        )


def _check_callbacks(config: TrainConfig) -> None:
    callbacks = config.callbacks
    if config.run.test_checkpoint == "best" and not callbacks.checkpoint:
        raise ConfigError(
            "test_checkpoint=best: needs callbacks.checkpoint=true; or choose test_checkpoint=last"
        )
    if config.data.validate_on == "test" and config.run.test_checkpoint == "best":
        raise ConfigError(
            "data.validate_on=test with test_checkpoint=best would choose the checkpoint by the "
            "test set; choose test_checkpoint=last"
        )
    if config.data.validate_on == "test" and callbacks.early_stopping.enabled:
        raise ConfigError(
            "data.validate_on=test with callbacks.early_stopping.enabled=true would stop by the "
            "test set; validate on a split of the training set instead"
        )
