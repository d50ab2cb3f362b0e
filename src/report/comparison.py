"""Comparison of runs: all that the tables and the page show."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.config.run_key import is_incidental
from src.report.caveats import caveats
from src.report.groups import Group, group_runs
from src.report.load import SEEDS, RunResult, find_runs, load_result, setting_name
from src.report.significance import TopTwoComparison, compare_top_two


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

    sweeps: tuple[Path, ...]
    metric: str
    columns: tuple[str, ...]
    runs: tuple[RunResult, ...]
    groups: tuple[Group, ...]
    lead: TopTwoComparison | None
    caveats: tuple[str, ...]
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
    columns = varying([run for run in runs if run.settings])
    finished = [run for run in runs if run.is_finished]
    settings = [{key: run.setting(key) for key in columns} for run in finished]
    groups = group_runs(finished, settings, metric)
    return Comparison(
        sweeps=tuple(sweeps),
        metric=metric,
        columns=tuple(columns),
        runs=tuple(runs),
        groups=tuple(groups),
        lead=compare_top_two(groups, metric),
        caveats=tuple(caveats(runs, groups, metric)),
        output=output,
    )


def varying(runs: Sequence[RunResult]) -> list[str]:
    """The settings that a command line named and in which runs differ, in the order of typing.

    Seeds are left out, and what changes nothing of what is learned.
    """
    named = dict.fromkeys(setting_name(word) for run in runs for word in run.overrides)
    return [
        key
        for key in named
        if key not in SEEDS and not is_incidental(key)
        if len({run.setting(key) for run in runs}) > 1
    ]
