"""Settings of ``src.predict``."""

from dataclasses import dataclass
from typing import cast

from omegaconf import DictConfig

from src.config.fields import number
from src.config.schema import InferenceConfig
from src.config.validate import check_run_choice
from src.errors import ConfigError


@dataclass
class PredictConfig(InferenceConfig):
    """What ``python -m src.predict`` classifies."""

    input: str | None = None
    output: str | None = None
    top: int = number(3, ge=1)


def check_predict(cfg: DictConfig) -> PredictConfig:
    """Check the settings of a prediction.

    Raises:
        ConfigError: as :func:`check_evaluate`; no input.
    """
    settings = cast(PredictConfig, check_run_choice(PredictConfig, cfg))
    if not settings.input:
        raise ConfigError("which images? give input=<file, folder or pattern>")
    return settings
