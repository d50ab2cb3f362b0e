"""Settings of ``src.predict``."""

from typing import Annotated

from annotated_types import Ge
from omegaconf import DictConfig
from pydantic.dataclasses import dataclass

from src.config.fields import STRICT, Int
from src.config.schema import InferenceConfig
from src.config.validate import check_run_choice
from src.errors import ConfigError


@dataclass(config=STRICT, kw_only=True)
class PredictConfig(InferenceConfig):
    """Settings of ``python -m src.predict``."""

    input: str | None
    output: str | None
    top: Annotated[Int, Ge(1)]


def check_predict(cfg: DictConfig) -> PredictConfig:
    """Check the settings of a prediction."""
    settings: PredictConfig = check_run_choice(PredictConfig, cfg)
    if not settings.input:
        raise ConfigError("which images? give input=<file, folder or pattern>")
    return settings
