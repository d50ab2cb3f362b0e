"""Comparison of runs, all that the tables and the page show, and the caveats of it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.config.run_key import is_incidental
from src.report.formatting import counted
from src.report.load import SEEDS, RunResult, find_runs, load_result, setting_name
from src.report.statistics import Group, TopTwoComparison, compare_top_two, group_runs

SHOWN = 3
"""Most names that a caveat lists."""


@dataclass(frozen=True)
class Comparison:
    """A comparison of the runs of one or more sweeps.

    Attributes:
        sweeps: the directories it was asked for.
        metric: what the leaderboard is ordered by.
        columns: the settings in which the runs differ.
        runs: all of them, in the order of their directories.
        groups: the finished ones by their settings, the best first.
        lead: of the best over the second best; None with fewer than two.
        caveats: what limits the comparison, a line each.
        output: where it is written.
    """

    sweeps: Sequence[Path]
    metric: str
    columns: tuple[str, ...]
    runs: list[RunResult]
    groups: list[Group]
    lead: TopTwoComparison | None
    caveats: list[str]
    output: Path

    @property
    def title(self) -> str:
        """The names of the directories, and what is compared."""
        names = ", ".join(place.resolve().name for place in self.sweeps)
        return f"{names}: {self.metric} over seeds"

    @property
    def finished(self) -> list[RunResult]:
        """The runs that enter the means."""
        return [run for run in self.runs if run.is_finished]

    @property
    def unfinished(self) -> list[RunResult]:
        """Those that run, failed, were stopped or cannot be read."""
        return [run for run in self.runs if not run.is_finished]


def build_comparison(sweeps: Sequence[Path], metric: str, output: Path) -> Comparison:
    """Read the runs at and below some directories and compare them; nothing is written.

    Raises:
        ValueError: there is no run in them.
        OSError: one of them cannot be listed.
    """
    read = [load_result(name, path) for name, path in find_runs(sweeps).items()]
    runs = [run for run in read if run is not None]
    if not runs:
        raise ValueError(f"{', '.join(map(str, sweeps))}: holds no run (a directory with run.json)")
    columns = _varying([run for run in runs if run.settings])
    finished = [run for run in runs if run.is_finished]
    settings = [{key: run.setting(key) for key in columns} for run in finished]
    groups = group_runs(finished, settings, metric)
    return Comparison(
        sweeps=sweeps,
        metric=metric,
        columns=columns,
        runs=runs,
        groups=groups,
        lead=compare_top_two(groups, metric),
        caveats=_caveats(finished, groups, metric)
        + [f"no curves of {run.name}: {run.damaged}" for run in runs if run.damaged],
        output=output,
    )


def _varying(runs: Sequence[RunResult]) -> tuple[str, ...]:
    """The settings that a command line named and in which runs differ, in the order of typing.

    Seeds and incidental settings are left out.
    """
    named = dict.fromkeys(setting_name(word) for run in runs for word in run.overrides)
    return tuple(
        key
        for key in named
        if key not in SEEDS and not is_incidental(key)
        if len({run.setting(key) for run in runs}) > 1
    )


def _caveats(finished: Sequence[RunResult], groups: Sequence[Group], metric: str) -> list[str]:
    """A line for each thing that limits the comparison of finished runs by a metric."""
    sources = (run.facts.get("data.source") for run in finished)
    commits = (run.commit for run in finished)
    hardware = (run.hardware for run in finished)
    found = [
        _validated_on_test(finished),
        _without_metric(finished, metric),
        _single_runs(groups, metric),
        _repeated_seeds(groups),
        _differing(sources, "data sources", "the figures do not compare"),
        _differing(commits, "states of the code", "+ stands for uncommitted changes"),
        _differing(hardware, "kinds of hardware", "their times do not compare"),
    ]
    return [line for line in found if line]


def _validated_on_test(runs: Sequence[RunResult]) -> str:
    which = sum(run.facts.get("data.validate_on") == "test" for run in runs)
    if not which:
        return ""
    who = "all runs were" if which == len(runs) else f"{which} of {counted(len(runs), 'run')} were"
    return (
        f"{who} validated on the test set (data.validate_on=test): their val/ figures are of test "
        "images, and what is chosen by them is chosen by the test set"
    )


def _without_metric(runs: Sequence[RunResult], metric: str) -> str:
    missing = [run.name for run in runs if metric not in run.figures]
    if missing and len(missing) == len(runs):
        return f"no finished run has {metric}: the order is without meaning"
    return f"without {metric}, and not in its mean: {_some(missing)}" if missing else ""


def _single_runs(groups: Sequence[Group], metric: str) -> str:
    counts = {group.statistics[f"{metric} n"] for group in groups} - {0}
    if counts == {1}:
        return "one run each (n = 1): no standard deviation, no interval"
    return "n = 1: a single run has no standard deviation and no interval" if 1 in counts else ""


def _repeated_seeds(groups: Sequence[Group]) -> str:
    places = [
        str(place)
        for place, group in enumerate(groups, start=1)
        if len({run.seeds for run in group.runs}) < len(group.runs)
    ]
    if not places:
        return ""
    return (
        f"the same seed more than once in the groups at place {_some(places)}: repetitions of one "
        "run make the spread look smaller than it is"
    )


def _differing(facts: Iterable[str | None], what: str, meaning: str) -> str:
    counts = Counter(fact or "unknown" for fact in facts)
    if len(counts) < 2:
        return ""
    named = [f"{value} ({counted(times, 'run')})" for value, times in counts.most_common()]
    return f"{len(counts)} {what}: {_some(named)}; {meaning}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
