"""A comparison of runs: everything that the tables and the page show."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.reports.collect import Run, collect
from src.reports.find import find_runs
from src.reports.groups import Group, group_runs
from src.reports.notes import notes
from src.reports.settings import varying
from src.reports.significance import Lead, compare_best


@dataclass(frozen=True)
class Report:
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
    runs: tuple[Run, ...]
    groups: tuple[Group, ...]
    lead: Lead | None
    notes: tuple[str, ...]
    output: Path

    @property
    def title(self) -> str:
        """The names of the directories, and what is compared."""
        names = ", ".join(place.resolve().name for place in self.sweeps)
        return f"{names}: {self.metric} over seeds"

    @property
    def finished(self) -> list[Run]:
        """The runs that enter the means."""
        return [run for run in self.runs if run.is_finished]

    @property
    def unfinished(self) -> list[Run]:
        """Those that run, failed, were stopped or cannot be read."""
        return [run for run in self.runs if not run.is_finished]


def build_report(sweeps: Sequence[Path], metric: str, output: Path) -> Report:
    """Read the runs of some directories and compare them; nothing is written.

    Args:
        sweeps: sweeps, runs, or folders of them; may still be running.
        metric: one of the figures of a run, for example ``val/acc``.
        output: where the report is going to be.

    Raises:
        ValueError: there is no run in them.
        OSError: one of them cannot be listed.
    """
    read = [collect(name, path) for name, path in find_runs(sweeps).items()]
    runs = [run for run in read if run is not None]
    if not runs:
        raise ValueError(f"{', '.join(map(str, sweeps))}: holds no run (a directory with run.json)")
    columns = varying([run.settings for run in runs if run.settings])
    groups = group_runs([run for run in runs if run.is_finished], columns, metric)
    return Report(
        sweeps=tuple(sweeps),
        metric=metric,
        columns=tuple(columns),
        runs=tuple(runs),
        groups=tuple(groups),
        lead=compare_best(groups, metric),
        notes=tuple(notes(runs, groups, metric)),
        output=output,
    )
