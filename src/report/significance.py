"""Significance test between the best and the second-best settings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from src.report.formatting import assignments, difference_text, is_share
from src.report.groups import LEVEL, Group

CERTAIN = 1 - LEVEL
NAMED = 4
"""Settings that a sentence names."""

NO_SPREAD = 1e-9
"""Below it values are the same but for rounding, which a test would take for precision."""


@dataclass(frozen=True)
class TopTwoComparison:
    """The lead of the best group over the second best.

    Attributes:
        best: the settings of the one that the other does not share.
        second: those of the other.
        metric: what they were ordered by.
        lead: by how much the mean is better; never negative.
        test: the name of the test; None where none can be made.
        why: how the test was chosen, or why there is none.
        low: lower end of the lead's 95% interval.
        high: its upper end.
        p: two-sided, of the test alone.
        groups: among how many the two were picked.
    """

    best: str
    second: str
    metric: str
    lead: float
    test: str | None = None
    why: str = ""
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    groups: int = 2

    @property
    def pairs(self) -> int:
        """How many pairs of groups there were to pick one from."""
        return self.groups * (self.groups - 1) // 2

    @property
    def corrected_p(self) -> float:
        """Bonferroni's: the two were picked for their means, from among all pairs."""
        return min(1.0, self.p * self.pairs)

    @property
    def is_significant(self) -> bool:
        """Whether chance would give such a lead in less than one of twenty comparisons."""
        return self.corrected_p < CERTAIN

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
    ahead = abs(fmean(ours) - fmean(theirs))
    lead = TopTwoComparison(*_told_apart(best, second), metric, ahead, groups=len(ranked))
    if min(len(ours), len(theirs)) < 2:
        which = "the first is" if len(theirs) > 1 else "the second is"
        who = "one run each" if len(ours) == len(theirs) else f"{which} a single run"
        return replace(lead, why=f"{who}, so nothing can be said; run more seeds")
    paired = _paired_differences(best, second, metric)
    samples = [paired] if paired else [ours, theirs]
    if all(max(values) - min(values) < NO_SPREAD for values in samples):
        return replace(lead, why="their runs show no spread to judge it by")
    # SciPy takes a second to import, which a configuration error need not wait for.
    from scipy.stats import ttest_1samp, ttest_ind

    if paired:
        test, why = "paired t-test", f"over the {len(paired)} seeds that both share"
        found = ttest_1samp(paired, 0)
    else:
        test, why = "Welch's t-test", f"of {len(ours)} and {len(theirs)} runs"
        found = ttest_ind(ours, theirs, equal_var=False)
    ends = map(float, found.confidence_interval(LEVEL))
    low, high = ends if is_share(metric) else sorted(-end for end in ends)
    return replace(lead, test=test, why=why, low=low, high=high, p=float(found.pvalue))


def _told_apart(best: Group, second: Group) -> tuple[str, str]:
    """Each by the settings in which the two differ, the first few of them."""
    keys = [key for key, value in best.settings.items() if second.settings[key] != value]
    more = " …" if len(keys) > NAMED else ""
    named = ({key: group.settings[key] for key in keys[:NAMED]} for group in (best, second))
    ours, theirs = (assignments(settings) + more for settings in named)
    return ours, theirs


def _paired_differences(best: Group, second: Group, metric: str) -> list[float]:
    """Of the same seeds and splits; none unless both groups have the same, each once."""
    ours, theirs = (
        [(run.seeds, run.figures[metric]) for run in group.runs if metric in run.figures]
        for group in (best, second)
    )
    first, other = dict(ours), dict(theirs)
    if len(first) < len(ours) or len(other) < len(theirs) or first.keys() != other.keys():
        return []
    return [value - other[seeds] for seeds, value in ours]


def _p(value: float) -> str:
    return "below 0.0001" if value < 1e-4 else f"{value:.2g}"
