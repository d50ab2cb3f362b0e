"""Settings of ``src.evaluate``."""

from dataclasses import dataclass
from typing import cast

from omegaconf import DictConfig

from src.config.fields import choice
from src.config.schema import InferenceConfig
from src.config.validate import check_run_choice


@dataclass
class EvaluateConfig(InferenceConfig):
    """What ``python -m src.evaluate`` looks at."""

    against: str | None = None
    output: str | None = None
    tta: str = choice("none", "none", "flip", "shift")


def check_evaluate(cfg: DictConfig) -> EvaluateConfig:
    """Check the settings of an evaluation.

    Raises:
        ConfigError: one that does not exist or is out of range; not one run or checkpoint.
    """
    return cast(EvaluateConfig, check_run_choice(EvaluateConfig, cfg, also={"data"}))
