"""Statistics of runs that differ in seeds alone, and a significance test of the two best groups."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from src.report.formatting import assignments, difference_text, is_share
from src.report.load import FIGURES, RunResult

ALL = "all runs"
LEVEL = 0.95
PARTS = {"n": "count", "mean": "mean", "std": "std"}  # what pandas computes, by its names
STATISTICS = [f"{name} {part}" for name in FIGURES for part in (*PARTS, "low", "high")]

NAMED = 4  # most settings in a sentence
NO_SPREAD = 1e-9  # a smaller one is rounding, which a t-test would take for precision


@dataclass(frozen=True)
class Group:
    """Finished runs of the same settings.

    ``statistics`` has ``val/acc n``, ``val/acc mean`` and so on: n, mean, sample standard deviation
    and the ends of the mean's 95% interval; NaN where there are too few runs for it.
    """

    settings: dict[str, str]  # those that vary between groups
    runs: tuple[RunResult, ...]
    statistics: dict[str, float]

    @property
    def name(self) -> str:
        """Its settings as they are typed; ``all runs`` where nothing varies."""
        return assignments(self.settings) or ALL

    def values(self, figure: str) -> "pd.Series[float]":
        """A figure of each run that has it, by seed and split."""
        found = [run for run in self.runs if figure in run.figures]
        index = [str(run.seeds) for run in found]
        return pd.Series([run.figures[figure] for run in found], index, dtype=float)

    def curve(self, name: str) -> "pd.Series[float]":
        """The mean of a learning curve, up to the end of the shortest run."""
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
    statistics = _summarize(grouped).sort_values(
        f"{metric} mean", ascending=not is_share(metric), na_position="last", kind="stable"
    )
    return [
        Group(settings[first], tuple(runs[place] for place in grouped.indices[first]), row)
        for first, row in statistics.to_dict("index").items()
    ]


def _summarize(figures: "pd.api.typing.DataFrameGroupBy") -> "pd.DataFrame":
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


@dataclass(frozen=True)
class TopTwoComparison:
    """The lead of the best group over the second best."""

    best: str  # its settings that the second does not share
    second: str
    metric: str
    lead: float  # by how much the mean is better; never negative
    test: str | None = None  # its name; None where none can be made
    why: str = ""  # how the test was chosen, or why there is none
    low: float = math.nan  # ends of the lead's 95% interval
    high: float = math.nan
    p: float = math.nan  # two-sided, without correction
    groups: int = 2  # number of groups that the two were picked from

    @property
    def pairs(self) -> int:
        """Number of pairs of groups."""
        return math.comb(self.groups, 2)

    @property
    def corrected_p(self) -> float:
        """Bonferroni's: the two were picked for their means, from among all pairs."""
        return min(1.0, self.p * self.pairs)

    @property
    def is_significant(self) -> bool:
        """Whether chance would give such a lead in less than one of twenty comparisons."""
        return self.corrected_p < 1 - LEVEL

    def __str__(self) -> str:
        """The lead, the test and the verdict, as sentences."""
        text = f"{self.metric}: the best, {self.best}, is ahead of the second, {self.second}, by "
        text += difference_text(self.metric, self.lead)
        if self.test is None:
            return f"{text}. No test: {self.why}."
        low, high = (difference_text(self.metric, end, unit=False) for end in (self.low, self.high))
        text += f" (95% interval {low} to {high}); {self.test} {self.why}, p = {_p(self.p)}"
        if self.pairs > 1:
            text += (
                f", and {_p(self.corrected_p)} after Bonferroni's correction, because these two "
                f"were picked from {self.groups} settings ({self.pairs} pairs)"
            )
        verdict = "significant" if self.is_significant else "not significant: it may well be chance"
        return f"{text}. At the 5% level the lead is {verdict}."


def compare_top_two(groups: Sequence[Group], metric: str) -> TopTwoComparison | None:
    """Test the two best of ranked groups against each other; None where fewer have the metric.

    Runs with the same seed and split share their images, their order and much of their noise.
    Where both groups have the very same seeds and splits, each once, the runs are compared in
    pairs (Student's paired t-test), else as independent samples of different spread (Welch,
    Biometrika 34, 1947, page 28).
    """
    ranked = [group for group in groups if group.statistics[f"{metric} n"]]
    if len(ranked) < 2:
        return None
    best, second = ranked[:2]
    ours, theirs = best.values(metric), second.values(metric)
    ahead = abs(ours.mean() - theirs.mean())
    names = _told_apart(best, second), _told_apart(second, best)
    lead = TopTwoComparison(*names, metric, ahead, groups=len(ranked))
    if min(len(ours), len(theirs)) < 2:
        single = "the first is a single run" if len(theirs) > 1 else "the second is a single run"
        who = "one run each" if len(ours) == len(theirs) else single
        return replace(lead, why=f"{who}, so nothing can be said; run more seeds")
    is_paired = ours.index.is_unique and sorted(ours.index) == sorted(theirs.index)
    samples = [ours - theirs] if is_paired else [ours, theirs]
    if all(values.max() - values.min() < NO_SPREAD for values in samples):
        return replace(lead, why="their runs show no spread to judge it by")
    # SciPy takes a second to import, which a configuration error need not wait for.
    from scipy.stats import ttest_1samp, ttest_ind

    if is_paired:
        test, why = "paired t-test", f"over the {len(ours)} seeds that both share"
        found = ttest_1samp(*samples, 0)
    else:
        test, why = "Welch's t-test", f"of {len(ours)} and {len(theirs)} runs"
        found = ttest_ind(*samples, equal_var=False)
    ends = map(float, found.confidence_interval(LEVEL))
    low, high = ends if is_share(metric) else sorted(-end for end in ends)
    return replace(lead, test=test, why=why, low=low, high=high, p=float(found.pvalue))


def _told_apart(group: Group, other: Group) -> str:
    """The settings of a group that another does not share, the first few of them."""
    own = {key: value for key, value in group.settings.items() if other.settings[key] != value}
    return assignments(dict(list(own.items())[:NAMED])) + (" …" if len(own) > NAMED else "")


def _p(value: float) -> str:
    return "below 0.0001" if value < 1e-4 else f"{value:.2g}"
