"""Groups of runs that differ in seeds alone: mean, standard deviation, interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from src.report.load import FIGURES, RunResult
from src.report.varying_settings import ABSENT, Settings, label, shown

LEVEL = 0.95


@dataclass(frozen=True)
class Statistics:
    """Figures of several runs.

    Attributes:
        n: how many.
        mean: of them.
        std: the sample standard deviation (n - 1 in the denominator); None for one value.
        low: lower end of the 95% interval of the mean; None for one value.
        high: its upper end.
    """

    n: int
    mean: float
    std: float | None = None
    low: float | None = None
    high: float | None = None


def summarize(
    values: Sequence[float], least: float = -math.inf, most: float = math.inf
) -> Statistics:
    """Mean, spread, and the interval that Student's t distribution gives the mean.

    The interval is mean ± t(0.975, n - 1) · std / √n (Student, Biometrika 6, 1908, page 1), for
    values that are about normal; what lies outside of ``least`` to ``most`` is cut off.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("no values have no mean")
    count, mean = len(values), fmean(values)
    if count == 1:
        return Statistics(1, mean)
    # SciPy takes a second to import, which a configuration error need not wait for.
    from scipy.stats import t

    spread = stdev(values)
    reach = float(t.ppf(0.5 + LEVEL / 2, count - 1)) * spread / math.sqrt(count)
    return Statistics(count, mean, spread, max(least, mean - reach), min(most, mean + reach))


@dataclass(frozen=True)
class Group:
    """Runs of the same settings.

    Attributes:
        settings: the values of those that vary between groups.
        runs: its finished runs.
        statistics: of each figure that one of them has at least.
    """

    settings: Settings
    runs: tuple[RunResult, ...]
    statistics: dict[str, Statistics]

    @property
    def name(self) -> str:
        """Its settings as they are typed; ``all runs`` where nothing varies."""
        return (
            " ".join(f"{label(key)}={shown(value)}" for key, value in self.settings.items()) or ALL
        )

    def values(self, figure: str) -> list[float]:
        """A figure of each run that has it."""
        return [run.figures[figure] for run in self.runs if figure in run.figures]


ALL = "all runs"


def is_better_high(metric: str) -> bool:
    """Whether more of a metric is better: of accuracy, not of loss."""
    return metric.endswith("acc")


def group_runs(runs: Sequence[RunResult], columns: Sequence[str], metric: str) -> list[Group]:
    """Group finished runs by the settings named in ``columns``, the best mean first.

    Groups without the metric come last, equals in the order of the runs.
    """
    members: dict[tuple[str, ...], list[RunResult]] = {}
    for run in runs:
        members.setdefault(tuple(run.settings.get(key, ABSENT) for key in columns), []).append(run)
    groups = [
        Group(dict(zip(columns, values, strict=True)), tuple(found), _statistics(found))
        for values, found in members.items()
    ]
    sign = -1 if is_better_high(metric) else 1

    def order(group: Group) -> float:
        return sign * group.statistics[metric].mean if metric in group.statistics else math.inf

    return sorted(groups, key=order)


def _statistics(runs: Sequence[RunResult]) -> dict[str, Statistics]:
    found = {}
    for figure in FIGURES:
        values = [run.figures[figure] for run in runs if figure in run.figures]
        if values:
            # Every figure of a run is a count, a share, a loss or a time: none is negative.
            most = 1.0 if figure.endswith("/acc") else math.inf
            found[figure] = summarize(values, 0.0, most)
    return found
