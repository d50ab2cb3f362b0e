"""Comparison of runs and its caveats: all that the tables, the page and the documents show."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.config.run_key import is_incidental
from src.report.formatting import counted
from src.report.load import SEEDS, RunResult, find_runs, load_result, setting_name
from src.report.statistics import Group, TopTwoComparison, compare_top_two, group_runs

SHOWN = 3  # most names in a caveat


@dataclass(frozen=True)
class Comparison:
    """A comparison of the runs of one or more sweeps."""

    sweeps: Sequence[Path]  # the directories it was asked for
    metric: str  # by which the leaderboard is ordered
    columns: tuple[str, ...]  # the settings in which the runs differ
    runs: list[RunResult]  # in the order of their directories
    groups: list[Group]  # the finished runs by their settings, the best first
    lead: TopTwoComparison | None  # of the best over the second best, if there are two
    caveats: list[str]  # what limits the comparison, a line each
    output: Path  # the folder of the report

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
    read = (load_result(name, path) for name, path in find_runs(sweeps).items())
    runs = [run for run in read if run]
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
        caveats=list(_caveats(runs, groups, metric)),
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


def _caveats(runs: Sequence[RunResult], groups: Sequence[Group], metric: str) -> Iterator[str]:
    """What limits the comparison of runs by a metric, a line each."""
    done = [run for run in runs if run.is_finished]
    on_test = sum(run.facts.get("data.validate_on") == "test" for run in done)
    if on_test:
        some = f"{on_test} of {counted(len(done), 'run')}"
        yield (
            f"{'all runs' if on_test == len(done) else some} were validated on the test set "
            "(data.validate_on=test): their val/ figures are of test images, and what is chosen by "
            "them is chosen by the test set"
        )
    missing = [run.name for run in done if metric not in run.figures]
    if missing and len(missing) == len(done):
        yield f"no finished run has {metric}: the order is without meaning"
    elif missing:
        yield f"without {metric}, and not in its mean: {_some(missing)}"
    counts = {group.statistics[f"{metric} n"] for group in groups} - {0}
    if counts == {1}:
        yield "one run each (n = 1): no standard deviation, no interval"
    elif 1 in counts:
        yield "n = 1: a single run has no standard deviation and no interval"
    repeated = [
        str(place)
        for place, group in enumerate(groups, start=1)
        if len({run.seeds for run in group.runs}) < len(group.runs)
    ]
    if repeated:
        yield (
            f"the same seed more than once in the groups at place {_some(repeated)}: repetitions "
            "of one run make the spread look smaller than it is"
        )
    sources = [run.facts.get("data.source") for run in done]
    yield from _differing(sources, "data sources", "the figures do not compare")
    commits = [run.commit for run in done]
    yield from _differing(commits, "states of the code", "+ stands for uncommitted changes")
    hardware = [run.hardware for run in done]
    yield from _differing(hardware, "kinds of hardware", "their times do not compare")
    yield from (f"no curves of {run.name}: {run.damaged}" for run in runs if run.damaged)


def _differing(facts: Sequence[str | None], what: str, meaning: str) -> Iterator[str]:
    counts = Counter(fact or "unknown" for fact in facts)
    if len(counts) > 1:
        named = [f"{value} ({counted(times, 'run')})" for value, times in counts.most_common()]
        yield f"{len(counts)} {what}: {_some(named)}; {meaning}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
