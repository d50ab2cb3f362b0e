"""Settings of ``src.export``."""

from dataclasses import dataclass
from typing import cast

from omegaconf import DictConfig

from src.config.fields import choice
from src.config.schema import RunChoice
from src.config.validate import check_run_choice


@dataclass
class ExportConfig(RunChoice):
    """What ``python -m src.export`` writes."""

    format: str = choice("onnx", "onnx", "torch_export", "safetensors")
    output: str | None = None


def check_export(cfg: DictConfig) -> ExportConfig:
    """Check the settings of an export.

    Raises:
        ConfigError: as :func:`check_evaluate`.
    """
    return cast(ExportConfig, check_run_choice(ExportConfig, cfg))
