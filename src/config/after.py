"""The settings of what is done with a trained run."""

from dataclasses import dataclass, field
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from src.config.check import typed
from src.config.errors import ConfigError
from src.config.fields import choice, number


@dataclass
class RunChoice:
    """Which trained network is meant."""

    run: str | None = None
    ckpt: str | None = None
    checkpoint: str = choice("best", "best", "last")
    trust: list[str] = field(default_factory=list)


@dataclass
class InferenceConfig(RunChoice):
    """Where and how it computes."""

    accelerator: str = choice("auto", "auto", "gpu", "cpu")
    precision: str = choice("run", "run", "32-true", "bf16-mixed", "16-mixed")
    batch_size: int = number(512, ge=1)


@dataclass
class EvaluateConfig(InferenceConfig):
    """What ``python -m src.evaluate`` looks at."""

    against: str | None = None
    output: str | None = None
    tta: str = choice("none", "none", "flip", "shift")


@dataclass
class PredictConfig(InferenceConfig):
    """What ``python -m src.predict`` classifies."""

    input: str | None = None
    output: str | None = None
    top: int = number(3, ge=1)


@dataclass
class ExportConfig(RunChoice):
    """What ``python -m src.export`` writes."""

    format: str = choice("onnx", "onnx", "torch_export", "safetensors")
    output: str | None = None


def check_evaluate(cfg: DictConfig) -> EvaluateConfig:
    """Check the settings of an evaluation.

    Raises:
        ConfigError: one that does not exist or is out of range; not one run or checkpoint.
    """
    return cast(EvaluateConfig, _checked(EvaluateConfig, cfg, also={"data"}))


def check_export(cfg: DictConfig) -> ExportConfig:
    """Check the settings of an export.

    Raises:
        ConfigError: as :func:`check_evaluate`.
    """
    return cast(ExportConfig, _checked(ExportConfig, cfg))


def check_predict(cfg: DictConfig) -> PredictConfig:
    """Check the settings of a prediction.

    Raises:
        ConfigError: as :func:`check_evaluate`; no input.
    """
    settings = cast(PredictConfig, _checked(PredictConfig, cfg))
    if not settings.input:
        raise ConfigError("which images? give input=<file, folder or pattern>")
    return settings


def _checked(kind: type, cfg: DictConfig, also: set[str] | None = None) -> Any:
    values = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    settings = typed(kind, values, "", also=also)
    if (settings.run is None) == (settings.ckpt is None):
        raise ConfigError("which run? give run=<run directory> or ckpt=<checkpoint file>")
    return settings
