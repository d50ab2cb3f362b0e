"""Formatting of figures: percent, intervals, durations."""

import re
from collections.abc import Sequence
from pathlib import Path

from src.report.groups import Statistics
from src.report.varying_settings import ABSENT

_UNITS = (("h", 3600.0, 2 * 3600.0), ("min", 60.0, 600.0), ("s", 1.0, 0.0))
"""Name, seconds, and from how many seconds on a column is written in it."""


def is_share(figure: str) -> bool:
    """Whether a figure is a fraction of 1, written in percent."""
    return figure.endswith("/acc")


def heading(metric: str) -> str:
    """The title of a metric's column or axis."""
    return f"{metric} (%)" if is_share(metric) else metric


def value_text(metric: str, value: float | None) -> str:
    """``93.81`` for an accuracy of 0.9381, ``0.2146`` for a loss."""
    if value is None:
        return ABSENT
    return f"{100 * value:.2f}" if is_share(metric) else f"{value:.4f}"


def mean_text(metric: str, found: Statistics | None) -> str:
    """``93.81 ± 0.12``; the mean alone where there is no spread."""
    if found is None:
        return ABSENT
    mean = value_text(metric, found.mean)
    return mean if found.std is None else f"{mean} ± {value_text(metric, found.std)}"


def interval_text(metric: str, found: Statistics | None) -> str:
    """``93.51–94.11``."""
    if found is None or found.low is None:
        return ABSENT
    return f"{value_text(metric, found.low)}–{value_text(metric, found.high)}"


def difference_text(metric: str, value: float, *, unit: bool = True) -> str:
    """A difference of two figures: accuracies differ by percentage points."""
    text = value_text(metric, value).replace("-", "−")
    return f"{text} points" if unit and is_share(metric) else text


def time_unit(seconds: Sequence[float]) -> tuple[str, float]:
    """The unit to write times in, so that the longest is easy to read, and its seconds."""
    longest = max(seconds, default=0.0)
    return next((name, size) for name, size, least in _UNITS if longest >= least)


def time_text(seconds: float) -> str:
    """``324 s``, ``12.4 min``, ``3.1 h``."""
    name, size = time_unit([seconds])
    return f"{seconds / size:,.{0 if size == 1 else 1}f} {name}"


def counted(number: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def without_folders(source: str) -> str:
    """Where images are from, without the folders of one machine.

    ``images in /my/own/cifar10.tar.xz (train/ and test/)`` is ``images in cifar10.tar.xz (train/
    and test/)``.
    """
    found = re.fullmatch(r"(.*(?:images in |, ))(\S*/.*?)( \([^()]*\))?", source)
    return f"{found[1]}{Path(found[2]).name}{found[3] or ''}" if found else source
