"""Settings of ``src.export``."""

from functools import partial
from typing import Literal

from pydantic.dataclasses import dataclass

from src.config.fields import STRICT
from src.config.schema import RunChoice
from src.config.validate import check_run_choice


@dataclass(config=STRICT, kw_only=True)
class ExportConfig(RunChoice):
    """Settings of ``python -m src.export``."""

    format: Literal["onnx", "torch_export", "safetensors"]
    output: str | None


check_export = partial(check_run_choice, ExportConfig)
