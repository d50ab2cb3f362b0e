"""Settings of ``src.evaluate``."""

from typing import Literal, cast

from omegaconf import DictConfig
from pydantic.dataclasses import dataclass

from src.config.fields import STRICT
from src.config.schema import InferenceConfig
from src.config.validate import check_run_choice


@dataclass(config=STRICT, kw_only=True)
class EvaluateConfig(InferenceConfig):
    """Settings of ``python -m src.evaluate``."""

    against: str | None
    output: str | None
    tta: Literal["none", "flip", "shift"]


def check_evaluate(cfg: DictConfig) -> EvaluateConfig:
    """Check the settings of an evaluation."""
    return cast(EvaluateConfig, check_run_choice(EvaluateConfig, cfg, also={"data"}))
