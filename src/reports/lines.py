"""The runs of a document of results, those together that were typed alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from src.config.identity import is_incidental
from src.reports.collect import Run
from src.reports.commands import key_of, portable, shell
from src.reports.groups import Group, group_runs
from src.reports.report import Report
from src.reports.settings import SEEDS

__all__ = ["AS_WRITTEN", "Line", "lines_of", "recipe_of"]

TYPED, IMAGES = "typed", "images"
"""Settings of our own, by which runs are grouped here."""

SHOWN = ("experiment", "data.root", "trainer.accelerator")
"""Words that are told otherwise: by the section, the data and the hardware."""

AS_WRITTEN = "as written"


@dataclass(frozen=True)
class Line:
    """Runs that differ in their seeds alone.

    Attributes:
        group: the runs.
        words: of the first one's command line, without its seed.
        seeds: what they were seeded with.
        name: what tells it from the others of its recipe; empty for the recipe as it is written.
        shared: what all lines of the recipe change of it, where they change other things besides.
    """

    group: Group
    words: tuple[str, ...]
    seeds: tuple[str, ...]
    name: str
    shared: str

    @property
    def named(self) -> list[tuple[str, Run]]:
        """Each of them by what it is called where they do not stand together."""
        name = self.name or AS_WRITTEN
        if len(self.group.runs) == 1:
            return [(name, self.group.runs[0])]
        return [(f"{name}, seed={run.settings.get(SEEDS[0])}", run) for run in self.group.runs]

    @property
    def command(self) -> str:
        """The command that repeats them."""
        several = len(self.seeds) > 1
        seeds = [f"seed={','.join(self.seeds)}"] if self.seeds != ("0",) else []
        start = ["python", "-m", "src.train", *(["-m"] if several else [])]
        return shell([*start, *self.words, *seeds])


def lines_of(report: Report, *chosen: str | None) -> list[Line]:
    """The finished runs of some recipes (None: of no recipe), those typed alike together."""
    runs = [run for run in report.finished if recipe_of(run) in chosen]
    told = [
        replace(
            run, settings={**run.settings, TYPED: " ".join(_changes(run)), IMAGES: _images(run)}
        )
        for run in runs
    ]
    groups = group_runs(told, [TYPED, IMAGES], report.metric)
    changes = [_changes(group.runs[0]) for group in groups]
    shared = _shared(changes)
    names = [" ".join(word for word in words if word not in shared) for words in changes]
    return [
        Line(group, _words(group.runs[0]), _seeds(group.runs), name, " ".join(shared))
        for group, name in zip(groups, names, strict=True)
    ]


def _shared(changes: Sequence[Sequence[str]]) -> list[str]:
    """The words that are in all of several; none where that would leave nothing of one of them."""
    if len(changes) < 2:
        return []
    shared = [word for word in changes[0] if all(word in words for words in changes)]
    return shared if all(set(words) - set(shared) for words in changes) else []


def _images(run: Run) -> str:
    """What a run was trained and validated on."""
    return f"{run.source}, validated on {run.validated_on}"


def recipe_of(run: Run) -> str | None:
    """The recipe that a run was typed with, if any."""
    names = [word.partition("=")[2] for word in run.overrides if word.startswith("experiment=")]
    return names[-1] if names else None


def _words(run: Run) -> tuple[str, ...]:
    """The words of a run's command line, the recipe first, without its seed."""
    words = [word for word in portable(run.overrides) if key_of(word) != SEEDS[0]]
    return tuple(sorted(words, key=lambda word: not word.startswith("experiment=")))


def _seeds(runs: Sequence[Run]) -> tuple[str, ...]:
    found = {run.settings.get(SEEDS[0], "0") for run in runs}
    return tuple(sorted(found, key=lambda seed: (len(seed), seed)))


def _changes(run: Run) -> list[str]:
    """What a command line changes that decides anything and has no column of its own."""
    return [
        word
        for word in _words(run)
        if key_of(word) not in SHOWN and not is_incidental(key_of(word))
    ]
