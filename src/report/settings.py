"""Settings of ``src.report``."""

from dataclasses import dataclass, field
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from src.config.compose import parse
from src.config.fields import choice
from src.config.schema import METRICS
from src.config.validate import typed
from src.errors import ConfigError

REPORTED = (*METRICS, "test/acc", "test/loss")


@dataclass
class ReportConfig:
    """What ``python -m src.report`` compares, and by which figure."""

    sweep: list[str] = field(default_factory=list)
    metric: str = choice("val/acc", *REPORTED)
    output: str | None = None
    format: str = choice("all", "all", "results", "figure")


def check_report(cfg: DictConfig) -> ReportConfig:
    """Check the settings of a report.

    ``sweep`` may be a list or, as it comes from the command line, the text of one: ``[a,b]``.

    Raises:
        ConfigError: a setting that does not exist or is not accepted; no sweep.
    """
    values = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    values["sweep"] = _names(values.get("sweep"))
    settings = cast(ReportConfig, typed(ReportConfig, values, ""))
    if not settings.sweep:
        raise ConfigError("which runs? give sweep=<sweep directory> or sweep=[<one>,<another>]")
    return settings


def _names(value: Any) -> list[str]:
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        (override,) = parse([f"sweep={value}"])
        value = override.value()
    names = value if isinstance(value, list) else [value]
    # A directory may be called 0, which is a number in Hydra's grammar.
    return [str(name) for name in names if name not in (None, "")]
