"""Caveats of a comparison: what a reader of the leaderboard must know."""

from collections import Counter
from collections.abc import Iterable, Sequence

from src.report.formatting import counted
from src.report.groups import Group
from src.report.load import RunResult

SHOWN = 3


def caveats(runs: Sequence[RunResult], groups: Sequence[Group], metric: str) -> list[str]:
    """A line for each thing that limits the comparison by a metric, of all runs that were read."""
    done = [run for run in runs if run.is_finished]
    sources = (run.facts.get("data.source") for run in done)
    found = [
        _validated_on_test(done),
        _without_metric(done, metric),
        _single(groups, metric),
        _repeated(groups),
        _differing(sources, "data sources", "the figures do not compare"),
        _differing(
            (run.commit for run in done), "states of the code", "+ stands for uncommitted changes"
        ),
        _differing(
            (run.hardware for run in done), "kinds of hardware", "their times do not compare"
        ),
        *(f"no curves of {run.name}: {run.damaged}" for run in runs if run.damaged),
    ]
    return [line for line in found if line]


def _validated_on_test(runs: Sequence[RunResult]) -> str | None:
    which = sum(run.facts.get("data.validate_on") == "test" for run in runs)
    if not which:
        return None
    who = "all runs were" if which == len(runs) else f"{which} of {counted(len(runs), 'run')} were"
    return (
        f"{who} validated on the test set (data.validate_on=test): their val/ figures are of test "
        "images, and what is chosen by them is chosen by the test set"
    )


def _without_metric(runs: Sequence[RunResult], metric: str) -> str | None:
    missing = [run.name for run in runs if metric not in run.figures]
    if not missing:
        return None
    if len(missing) == len(runs):
        return f"no finished run has {metric}: the order is without meaning"
    return f"without {metric}, and not in its mean: {_some(missing)}"


def _single(groups: Sequence[Group], metric: str) -> str | None:
    counts = {group.statistics[f"{metric} n"] for group in groups} - {0}
    if 1 not in counts:
        return None
    if counts == {1}:
        return "one run each (n = 1): no standard deviation, no interval"
    return "n = 1: a single run has no standard deviation and no interval"


def _repeated(groups: Sequence[Group]) -> str | None:
    places = [
        str(place)
        for place, group in enumerate(groups, start=1)
        if len({run.seeds for run in group.runs}) < len(group.runs)
    ]
    if not places:
        return None
    return (
        f"the same seed more than once in the groups at place {_some(places)}: repetitions of one "
        "run make the spread look smaller than it is"
    )


def _differing(facts: Iterable[str | None], what: str, meaning: str) -> str | None:
    counts = Counter(fact or "unknown" for fact in facts)
    if len(counts) < 2:
        return None
    named = [f"{value} ({counted(times, 'run')})" for value, times in counts.most_common()]
    return f"{len(counts)} {what}: {_some(named)}; {meaning}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
