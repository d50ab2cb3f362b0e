"""The settings of what is done with a trained run."""

from dataclasses import dataclass, field
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from src.config.check import typed
from src.config.errors import ConfigError
from src.config.fields import choice, number


@dataclass
class EvaluateConfig:
    """What ``python -m src.evaluate`` looks at."""

    run: str | None = None
    ckpt: str | None = None
    checkpoint: str = choice("best", "best", "last")
    against: str | None = None
    tta: str = choice("none", "none", "flip", "shift")
    accelerator: str = choice("auto", "auto", "gpu", "cpu")
    precision: str = choice("run", "run", "32-true", "bf16-mixed", "16-mixed")
    batch_size: int = number(512, ge=1)
    trust: list[str] = field(default_factory=list)


@dataclass
class ExportConfig:
    """What ``python -m src.export`` writes."""

    run: str | None = None
    ckpt: str | None = None
    checkpoint: str = choice("best", "best", "last")
    format: str = choice("onnx", "onnx", "torch_export", "safetensors")
    output: str | None = None
    trust: list[str] = field(default_factory=list)


def check_evaluate(cfg: DictConfig) -> EvaluateConfig:
    """Check the settings of an evaluation.

    Raises:
        ConfigError: one that does not exist or is out of range; not one run or checkpoint.
    """
    return cast(EvaluateConfig, _checked(EvaluateConfig, cfg))


def check_export(cfg: DictConfig) -> ExportConfig:
    """Check the settings of an export.

    Raises:
        ConfigError: as :func:`check_evaluate`.
    """
    return cast(ExportConfig, _checked(ExportConfig, cfg))


def _checked(kind: type, cfg: DictConfig) -> Any:
    values = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    settings = typed(kind, values, "", also={"data"})
    if (settings.run is None) == (settings.ckpt is None):
        raise ConfigError("which run? give run=<run directory> or ckpt=<checkpoint file>")
    return settings
