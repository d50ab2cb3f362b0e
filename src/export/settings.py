"""Settings of ``src.export``."""

from typing import Literal, cast

from omegaconf import DictConfig
from pydantic.dataclasses import dataclass

from src.config.fields import STRICT
from src.config.schema import RunChoice
from src.config.validate import check_run_choice


@dataclass(config=STRICT, kw_only=True)
class ExportConfig(RunChoice):
    """Settings of ``python -m src.export``."""

    format: Literal["onnx", "torch_export", "safetensors"]
    output: str | None


def check_export(cfg: DictConfig) -> ExportConfig:
    """Check the settings of an export."""
    return cast(ExportConfig, check_run_choice(ExportConfig, cfg))
