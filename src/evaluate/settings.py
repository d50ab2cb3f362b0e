"""Settings of ``src.evaluate``."""

from functools import partial
from typing import Literal

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


check_evaluate = partial(check_run_choice, EvaluateConfig, also={"data"})
