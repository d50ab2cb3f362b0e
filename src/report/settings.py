"""Settings of ``src.report``."""

from typing import Any, Literal, cast

from omegaconf import DictConfig, OmegaConf
from pydantic.dataclasses import dataclass

from src.config.compose import parse
from src.config.fields import STRICT, typed
from src.config.schema import Metric
from src.errors import ConfigError


@dataclass(config=STRICT, kw_only=True)
class ReportConfig:
    """What ``python -m src.report`` compares, and by which figure."""

    sweep: list[str]
    metric: Literal[Metric, "test/acc", "test/loss"]
    output: str | None
    format: Literal["all", "results", "figure"]


def check_report(cfg: DictConfig) -> ReportConfig:
    """Check the settings of a report.

    ``sweep`` may be a list or, as it comes from the command line, the text of one: ``[a,b]``.
    """
    values = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))
    sweep = values.get("sweep")
    if isinstance(sweep, str) and sweep.startswith("[") and sweep.endswith("]"):
        (override,) = parse([f"sweep={sweep}"])
        sweep = override.value()
    names = sweep if isinstance(sweep, list) else [sweep]
    # A directory may be called 0, which is a number in Hydra's grammar.
    values["sweep"] = [str(name) for name in names if name not in (None, "")]
    settings = cast(ReportConfig, typed(ReportConfig, values, ""))
    if not settings.sweep:
        raise ConfigError("which runs? give sweep=<sweep directory> or sweep=[<one>,<another>]")
    return settings
