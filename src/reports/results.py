"""A document of results: what was published, what these runs reached, and how to repeat them."""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from src.config.identity import is_incidental
from src.reports.collect import Run
from src.reports.evaluations import evaluations
from src.reports.groups import Group, group_runs
from src.reports.recipes import Recipe, recipes
from src.reports.report import Report
from src.reports.settings import ABSENT, SEEDS
from src.reports.tables import escaped, markdown_table
from src.reports.wording import mean_text, time_text, without_folders

__all__ = ["results"]

TYPED, SOURCE = "typed", "source"
"""Settings of our own, by which runs are grouped here."""

SHOWN = ("experiment", "data.root", "trainer.accelerator")
"""Words that are told otherwise: by the section, the data and the hardware."""

NOT_RUN = "not run"
AS_WRITTEN = "as written"
CURVE = 10
"""Epochs up to which the accuracy after each is given."""

HEADERS = (
    *("run as", "epochs", "train (%)", "validation (%)", "test (%)", "runs"),
    *("time a run", "images/s", "hardware", "commit"),
)
WORDS = 1
"""Of the headers, those above words."""

INTRODUCTION = """\
# Results

Made from run directories by `{command}`;
nothing here is typed by hand. Accuracies are means over the runs of a line, ± their standard
deviation where there are several. Times are those of training as the runs measured them; where the
machine was shared or a run was paused they are upper bounds. Images/s are the median over a run,
which that hardly changes. "As written" is a recipe without changes but for where the data is and
what computes.
"""

JPEG_COPY = "cifar10-jpeg.tar.xz"
ABOUT_JPEG_COPY = f"""\
`{JPEG_COPY}` is the JPEG copy: all of CIFAR-10, 50,000 and 10,000 images, encoded anew as
small JPEGs about 30 dB from the originals. Figures on it do not compare with published ones to the
last point.
"""


@dataclass(frozen=True)
class _Line:
    """Runs that differ in their seeds alone.

    Attributes:
        group: the runs.
        words: of the first one's command line, without its seed.
        seeds: what they were seeded with.
    """

    group: Group
    words: tuple[str, ...]
    seeds: tuple[str, ...]

    @property
    def name(self) -> str:
        """What tells it from the others of its recipe; empty for the recipe as it is written."""
        return self.group.settings[TYPED]

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
        return shlex.join([*start, *self.words, *seeds])


def results(report: Report) -> str:
    """The document, in GitHub's Markdown: an overview, then each recipe, then the other runs."""
    known = recipes()
    lines = {recipe.name: _lines(report, recipe.name) for recipe in known}
    others = _lines(report, None)
    parts = [
        INTRODUCTION.format(command=_own_command(report)),
        "## Recipes",
        _overview(known, lines),
    ]
    for recipe in known:
        if lines[recipe.name]:
            parts += [f"### {recipe.name}", *_recipe(recipe, lines[recipe.name])]
    if others:
        parts += ["## Other runs", *_details(others)]
    if report.unfinished:
        names = ", ".join(f"{run.name} ({run.state})" for run in report.unfinished)
        parts += ["## Not finished, and not above", f"{escaped(names)}."]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _own_command(report: Report) -> str:
    """What this document is made by; of a place elsewhere on the machine just the name."""
    places = [place.name if place.is_absolute() else str(place) for place in report.sweeps]
    sweep = places[0] if len(places) == 1 else f"[{','.join(places)}]"
    return f"python -m src.report sweep={sweep} format=results"


def _lines(report: Report, recipe: str | None) -> list[_Line]:
    """The finished runs of a recipe, or of none, those that were typed alike together."""
    runs = [run for run in report.finished if _recipe_of(run) == recipe]
    told = [
        replace(run, settings={**run.settings, TYPED: _changes(run), SOURCE: run.source or ""})
        for run in runs
    ]
    groups = group_runs(told, [TYPED, SOURCE], report.metric)
    return [_Line(group, _words(group.runs[0]), _seeds(group.runs)) for group in groups]


def _recipe_of(run: Run) -> str | None:
    names = [word.partition("=")[2] for word in run.overrides if word.startswith("experiment=")]
    return names[-1] if names else None


def _words(run: Run) -> tuple[str, ...]:
    """The words of a run's command line, the recipe first, without its seed.

    Of where the data is just the name: the folders are of one machine.
    """
    words = [
        f"data.root={Path(value).name}" if key == "data.root" else word
        for word in run.overrides
        for key, _, value in [word.partition("=")]
        if key != SEEDS[0]
    ]
    return tuple(sorted(words, key=lambda word: not word.startswith("experiment=")))


def _seeds(runs: Sequence[Run]) -> tuple[str, ...]:
    found = {run.settings.get(SEEDS[0], "0") for run in runs}
    return tuple(sorted(found, key=lambda seed: (len(seed), seed)))


def _overview(known: Iterable[Recipe], lines: dict[str, list[_Line]]) -> str:
    rows = []
    for recipe in known:
        ours = [
            f"{f'{line.name}: ' if line.name else ''}{_test(line.group)} ({_data(line.group)})"
            for line in lines[recipe.name]
        ]
        rows.append([recipe.name, recipe.published or ABSENT, "; ".join(ours) or NOT_RUN])
    return markdown_table(["recipe", "published", "ours: test (%)"], rows, words=3)


def _recipe(recipe: Recipe, lines: Sequence[_Line]) -> list[str]:
    published = (
        [f"Published: {recipe.published}. Source: {recipe.source}."] if recipe.published else []
    )
    return [recipe.about, *published, *filter(None, [recipe.note]), *_details(lines)]


def _details(lines: Sequence[_Line]) -> list[str]:
    rows = [_row(line) for line in lines]
    commands = "\n".join(line.command for line in lines)
    parts = [markdown_table(HEADERS, rows, words=WORDS), f"```bash\n{commands}\n```"]
    runs = [run for line in lines for run in line.group.runs]
    sources = "; ".join(dict.fromkeys(_source(run) for run in runs))
    parts.append(f"Data: {sources}.")
    if any(run.validated_on == "test" for run in runs):
        parts.append(
            "Validated on the test set (data.validate_on=test): the validation column is of test "
            "images."
        )
    parts += [text for line in lines for text in _by_epoch(line)]
    return parts + evaluations([named for line in lines for named in line.named])


def _row(line: _Line) -> list[str]:
    found = line.group.statistics
    run = line.group.runs[0]
    speeds = [each.speed for each in line.group.runs if each.speed is not None]
    epochs = f"{found['epochs'].mean:,.0f}" if "epochs" in found else ABSENT
    time = time_text(found["train_seconds"].mean) if "train_seconds" in found else ABSENT
    commits = ", ".join(dict.fromkeys(run.commit or ABSENT for run in line.group.runs))
    accuracies = [mean_text(name, found.get(name)) for name in ("train/acc", "val/acc", "test/acc")]
    hardware = ", ".join(filter(None, [run.hardware, run.precision])) or ABSENT
    return [
        line.name or AS_WRITTEN,
        epochs,
        *accuracies,
        str(len(line.group.runs)),
        time,
        f"{fmean(speeds):,.0f}" if speeds else ABSENT,
        hardware,
        commits,
    ]


def _by_epoch(line: _Line) -> list[str]:
    """The validation accuracy after each epoch of a single short run."""
    curve = line.group.runs[0].curves.get("val/acc")
    if len(line.group.runs) > 1 or not curve or len(curve.values) > CURVE:
        return []
    values = ", ".join(f"{100 * value:.2f}" for value in curve.values)
    name = f" ({line.name})" if line.name else ""
    return [f"Validation accuracy after each epoch{name}: {values}."]


def _changes(run: Run) -> str:
    """What a command line changes that decides anything and has no column of its own."""
    keys = {word: word.lstrip("+~").partition("=")[0] for word in _words(run)}
    return " ".join(
        word for word, key in keys.items() if key not in SHOWN and not is_incidental(key)
    )


def _test(group: Group) -> str:
    return mean_text("test/acc", group.statistics.get("test/acc"))


def _source(run: Run) -> str:
    return without_folders(run.source or ABSENT)


def _data(group: Group) -> str:
    """The data set in few words: its name, and the archive or folder its images are from."""
    run = group.runs[0]
    place = re.sub(r" \([^()]*\)$", "", _source(run)).partition("images in ")[2]
    name = run.settings.get("data.name", "")
    return ", ".join(filter(None, [name, place]))
