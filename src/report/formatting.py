"""Formatting of settings and figures: percent, ±, intervals, durations."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ABSENT = "–"  # for a setting or figure that a run does not have


def is_share(metric: str) -> bool:
    """Whether a metric is a fraction of 1, written in percent; more of it is better."""
    return metric.endswith("/acc")


def curve_name(metric: str) -> str:
    """The learning curve that belongs to a metric: that of the validation images."""
    return f"val/{metric.partition('/')[2]}"


def heading(metric: str) -> str:
    """The title of a metric's column or axis."""
    return f"{metric} (%)" if is_share(metric) else metric


def scale(metric: str) -> float:
    """The factor of a metric in a chart."""
    return 100.0 if is_share(metric) else 1.0


def value_text(metric: str, value: float) -> str:
    """``93.81`` for an accuracy of 0.9381, ``0.2146`` for a loss."""
    if math.isnan(value):
        return ABSENT
    return f"{100 * value:.2f}" if is_share(metric) else f"{value:.4f}"


def mean_text(metric: str, statistics: Mapping[str, float]) -> str:
    """``93.81 ± 0.12``; the mean alone where there is no spread."""
    mean, std = (value_text(metric, statistics[f"{metric} {part}"]) for part in ("mean", "std"))
    return mean if std == ABSENT else f"{mean} ± {std}"


def interval_text(metric: str, statistics: Mapping[str, float]) -> str:
    """``93.51–94.11``."""
    low, high = (value_text(metric, statistics[f"{metric} {part}"]) for part in ("low", "high"))
    return ABSENT if low == ABSENT else f"{low}–{high}"


def difference_text(metric: str, value: float, *, unit: bool = True) -> str:
    """A difference of two figures: accuracies differ by percentage points."""
    text = value_text(metric, value).replace("-", "−")
    return f"{text} points" if unit and is_share(metric) else text


def time_unit(longest: float) -> tuple[str, float]:
    """The unit in which times up to the longest are easy to read, and its seconds."""
    if longest >= 7200:
        return "h", 3600.0
    return ("min", 60.0) if longest >= 600 else ("s", 1.0)


def time_text(seconds: float) -> str:
    """``324 s``, ``12.4 min``, ``3.1 h``."""
    if math.isnan(seconds):
        return ABSENT
    name, size = time_unit(seconds)
    return f"{seconds / size:,.{0 if size == 1 else 1}f} {name}"


def number_text(value: float, digits: int = 0) -> str:
    """``1,234``."""
    return ABSENT if math.isnan(value) else f"{value:,.{digits}f}"


def counted(number: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def setting_text(value: str) -> str:
    """The value of a setting; a decimal number, as a search draws it, to four digits."""
    try:
        return f"{float(value):.4g}" if "." in value else value
    except ValueError:
        return value


def assignments(settings: Mapping[str, str]) -> str:
    """``model=resnet20 optimizer.lr=0.1``."""
    return " ".join(f"{key}={setting_text(value)}" for key, value in settings.items())


def render(template: str, **values: Any) -> str:
    """A Jinja template of this folder, filled in; in HTML with values escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)
