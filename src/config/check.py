"""From a composed Hydra config to a typed, checked :class:`TrainConfig`."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from src.config.errors import ConfigError, one_line
from src.config.fields import check_fields
from src.config.optimization import OPTIMIZERS, SCHEDULERS
from src.config.schema import (
    FLAT_GROUPS,
    BenchmarkConfig,
    ResNetConfig,
    RunSettings,
    TrainConfig,
)
from src.config.together import check_together
from src.names import nearest

CONF = Path(__file__).resolve().parents[2] / "conf"
BACKBONES_BY_NAME = ("src.models.build_torchvision", "src.models.build_timm")


def check(cfg: DictConfig) -> TrainConfig:
    """Check a composed config against the schemas and across groups.

    Args:
        cfg: what Hydra composed from ``conf/train.yaml``, without its ``hydra`` node.

    Raises:
        ConfigError: an unknown key, a wrong type, a value out of range, or settings that
            contradict each other; one line, naming the key, the value and what is accepted.
    """
    groups = {"model", "optimizer", "scheduler", *FLAT_GROUPS}
    if "benchmark" in cfg:
        groups.add("benchmark")
    try:
        top = {key: cfg[key] for key in cfg if key not in groups}
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
    check_together(config)
    return config


def _benchmark(cfg: DictConfig) -> BenchmarkConfig:
    settings = cast(BenchmarkConfig, typed(BenchmarkConfig, _group(cfg, "benchmark"), "benchmark"))
    if settings.mode == "alone" and len(settings.contenders) != 1:
        raise ConfigError("benchmark.mode=alone: one of benchmark.contenders, not several")
    if settings.mode == "training" and "ours" not in settings.contenders:
        raise ConfigError(
            f"benchmark.contenders={settings.contenders}: ours is what the others are compared with"
        )
    if not settings.contenders or len(set(settings.contenders)) < len(settings.contenders):
        raise ConfigError(
            f"benchmark.contenders={settings.contenders}: each once, for example [ours,bare]"
        )
    if cfg.get("resume"):
        raise ConfigError(f"resume={cfg.resume}: a benchmark has nothing to continue")
    return settings


def _group(cfg: DictConfig, name: str) -> dict[str, Any]:
    group = cfg.get(name)
    if not OmegaConf.is_dict(group):
        raise ConfigError(f"{name}={group}: a group of settings is needed; see conf/{name}/")
    try:
        return cast(dict[str, Any], OmegaConf.to_container(group, resolve=True))
    except OmegaConfBaseException as error:
        raise ConfigError(f"{name}: {one_line(error)}") from error


def typed(kind: type, values: Any, prefix: str, also: set[str] | None = None) -> Any:
    """Values as an instance of a dataclass; ``also`` are neighbours to suggest for a typo.

    Raises:
        ConfigError: a key that is not a field, a wrong type, a value out of range.
    """
    try:
        settings = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kind), values))
    except ConfigKeyError as error:
        dot = f"{prefix}." if prefix else ""
        key = str(error.key)
        names = [item.name for item in fields(kind)] + sorted(also or ())
        full = str(error.full_key or key)
        hint = nearest(key, names)
        raise ConfigError(
            f"{dot}{full}: no such setting{hint} (accepted: {', '.join(names)})"
        ) from error
    except OmegaConfBaseException as error:
        reason = one_line(str(error).splitlines()[0])  # type: ignore[arg-type]
        key = ".".join(filter(None, [prefix, str(error.full_key or "")]))
        if "is not a ListConfig" in reason:
            reason = f"a list is needed, {key}=[…]"
        raise ConfigError(f"{key}: {reason}") from error
    check_fields(settings, prefix)
    return settings


def _model(values: dict[str, Any]) -> ResNetConfig | dict[str, Any]:
    target = values.get("_target_")
    if target == ResNetConfig._target_:
        model = cast(ResNetConfig, typed(ResNetConfig, values, "model"))
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
    """The settings of the option ``values`` names, or free-form ones when they name a class."""
    if custom and values.get("name") == "custom":
        _check_target(group, values)
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
