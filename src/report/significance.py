"""Significance test between the best and the second-best settings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from src.report.formatting import difference_text
from src.report.groups import LEVEL, Group, is_better_high
from src.report.varying_settings import label, shown

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
    """Test the two best groups against each other.

    Runs with the same seed and split share their images, their order and much of their noise.
    Where both groups have the very same seeds and splits, each once, the runs are compared in
    pairs (Student's paired t-test), else as independent samples of different spread (Welch,
    Biometrika 34, 1947, page 28).

    Args:
        groups: the best first, see :func:`src.report.groups.group_runs`.
        metric: what they are ordered by.

    Returns:
        What was found; None with fewer than two groups that have the metric.
    """
    ranked = [group for group in groups if metric in group.statistics]
    if len(ranked) < 2:
        return None
    best, second = ranked[:2]
    ours, theirs = best.statistics[metric], second.statistics[metric]
    names = _told_apart(best, second)
    lead = TopTwoComparison(*names, metric, abs(ours.mean - theirs.mean), groups=len(ranked))
    if ours.n < 2 or theirs.n < 2:
        return replace(lead, why=_too_few(ours.n, theirs.n))
    pairs = _pairs(best, second, metric)
    low, high, p = _test(best.values(metric), second.values(metric), pairs, is_better_high(metric))
    if not math.isfinite(p):
        return replace(lead, why="their runs show no spread to judge it by")
    test, why = "Welch's t-test", f"of {ours.n} and {theirs.n} runs"
    if pairs:
        test, why = "paired t-test", f"over the {len(pairs)} seeds that both share"
    return replace(lead, test=test, why=why, low=low, high=high, p=p)


def _told_apart(best: Group, second: Group) -> tuple[str, str]:
    """Each by the settings in which the two differ, the first few of them."""
    keys = [key for key, value in best.settings.items() if second.settings[key] != value]
    more = " …" if len(keys) > NAMED else ""

    def name(group: Group) -> str:
        return " ".join(f"{label(key)}={shown(group.settings[key])}" for key in keys[:NAMED]) + more

    return name(best), name(second)


def _too_few(ours: int, theirs: int) -> str:
    if ours == theirs == 1:
        return "one run each, so nothing can be said; run more seeds"
    which = "the first" if ours == 1 else "the second"
    return f"{which} is a single run, so nothing can be said; run more seeds"


def _pairs(best: Group, second: Group, metric: str) -> list[tuple[float, float]]:
    """Figures of the same seeds and splits; none unless both groups have the same, each once."""
    ours, theirs = (
        [(run.seeds, run.figures[metric]) for run in group.runs if metric in run.figures]
        for group in (best, second)
    )
    first, other = dict(ours), dict(theirs)
    if len(first) < len(ours) or len(other) < len(theirs) or first.keys() != other.keys():
        return []
    return [(value, other[seeds]) for seeds, value in ours]


def _test(
    ours: Sequence[float],
    theirs: Sequence[float],
    pairs: Sequence[tuple[float, float]],
    better_high: bool,
) -> tuple[float, float, float]:
    """The interval of the lead and the p value; not finite where nothing varies."""
    # SciPy takes a second to import, which a configuration error need not wait for.
    from scipy.stats import ttest_ind, ttest_rel

    samples = [[mine - other for mine, other in pairs]] if pairs else [ours, theirs]
    if all(max(values) - min(values) < NO_SPREAD for values in samples):
        return math.nan, math.nan, math.nan
    if pairs:
        found = ttest_rel([mine for mine, _ in pairs], [other for _, other in pairs])
    else:
        found = ttest_ind(ours, theirs, equal_var=False)
    interval = found.confidence_interval(LEVEL)
    ends = (float(interval.low), float(interval.high))
    low, high = ends if better_high else (-ends[1], -ends[0])
    return low, high, float(found.pvalue)


def _p(value: float) -> str:
    return "below 0.0001" if value < 1e-4 else f"{value:.2g}"
