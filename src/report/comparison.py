"""Comparison of runs: all that the tables and the page show."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.report.caveats import caveats
from src.report.groups import Group, group_runs
from src.report.load import RunResult, find_runs, load_results
from src.report.significance import TopTwoComparison, compare_top_two
from src.report.varying_settings import varying


@dataclass(frozen=True)
class Comparison:
    """A comparison of the runs of one or more sweeps.

    Attributes:
        sweeps: the directories it was asked for.
        metric: what the leaderboard is ordered by.
        columns: the settings that vary between the runs.
        runs: all of them, in the order of their directories.
        groups: the finished ones by their settings, the best first.
        lead: of the best over the second best; None with fewer than two.
        notes: what limits the comparison, a line each.
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
    """Read the runs of some directories and compare them; nothing is written.

    Args:
        sweeps: sweeps, runs, or folders of them; may still be running.
        metric: one of the figures of a run, for example ``val/acc``.
        output: where the report is going to be.

    Raises:
        ValueError: there is no run in them.
        OSError: one of them cannot be listed.
    """
    read = [load_results(name, path) for name, path in find_runs(sweeps).items()]
    runs = [run for run in read if run is not None]
    if not runs:
        raise ValueError(f"{', '.join(map(str, sweeps))}: holds no run (a directory with run.json)")
    columns = varying([run.settings for run in runs if run.settings])
    groups = group_runs([run for run in runs if run.is_finished], columns, metric)
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
