"""Groups of runs that differ in seeds alone: mean, standard deviation, interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from src.report.formatting import assignments, is_share
from src.report.load import FIGURES, RunResult

ALL = "all runs"
LEVEL = 0.95
PARTS = {"n": "count", "mean": "mean", "std": "std"}
"""Of the statistics of a figure those that pandas has, by its names."""
STATISTICS = [f"{name} {part}" for name in FIGURES for part in (*PARTS, "low", "high")]


@dataclass(frozen=True)
class Group:
    """Finished runs of the same settings.

    Attributes:
        settings: the values of those that vary between groups.
        runs: the runs.
        statistics: ``val/acc n``, ``val/acc mean`` and so on: n, mean, sample standard deviation,
            ends of the mean's 95% interval; not a number where there are too few runs for it.
    """

    settings: dict[str, str]
    runs: tuple[RunResult, ...]
    statistics: dict[str, float]

    @property
    def name(self) -> str:
        """Its settings as they are typed; ``all runs`` where nothing varies."""
        return assignments(self.settings) or ALL

    def values(self, figure: str) -> list[float]:
        """A figure of each run that has it."""
        return [run.figures[figure] for run in self.runs if figure in run.figures]

    def curve(self, name: str) -> "pd.Series[float]":
        """The mean of a learning curve where all have a value: none that ends early bends it."""
        found = [run.curves[name] for run in self.runs if name in run.curves]
        return pd.concat(found or [pd.Series()], axis="columns", join="inner").mean(axis="columns")


def group_runs(
    runs: Sequence[RunResult], settings: Sequence[dict[str, str]], metric: str
) -> list[Group]:
    """Group finished runs by the settings given for each, the best mean of a metric first.

    Groups without the metric come last, equals in the order of the runs.
    """
    if not runs:
        return []
    figures = pd.DataFrame([run.figures for run in runs], columns=FIGURES, dtype=float)
    grouped = figures.groupby([settings.index(each) for each in settings])
    statistics = summarize(grouped).sort_values(
        f"{metric} mean", ascending=not is_share(metric), na_position="last", kind="stable"
    )
    return [
        Group(settings[first], tuple(runs[place] for place in grouped.indices[first]), row)
        for first, row in statistics.to_dict("index").items()
    ]


def summarize(figures: "pd.api.typing.DataFrameGroupBy") -> "pd.DataFrame":
    """The statistics of each figure, a row a group.

    The interval is mean ± t(0.975, n - 1) · std / √n (Student, Biometrika 6, 1908, page 1), for
    values that are about normal. Every figure is a count, a share, a loss or a time: none is
    negative, no share is above 1, and neither is an end of its interval.
    """
    # SciPy takes a second to import, which a report of what is not there need not wait for.
    from scipy.stats import t

    found = figures.agg(
        **{f"{name} {part}": (name, how) for name in FIGURES for part, how in PARTS.items()}
    )
    for name in FIGURES:
        n, mean, std = (found[f"{name} {part}"] for part in PARTS)
        reach = t.ppf(0.5 + LEVEL / 2, n - 1) * std / n**0.5
        found[f"{name} low"] = (mean - reach).clip(lower=0)
        found[f"{name} high"] = (mean + reach).clip(upper=1 if is_share(name) else None)
    return found[STATISTICS]
