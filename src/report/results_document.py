"""Results document: published figures, those of these runs, and the commands that repeat them."""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from src.config.run_key import is_incidental
from src.report.comparison import Comparison
from src.report.evaluations import evaluations
from src.report.formatting import mean_text, time_text, without_folders
from src.report.groups import Group, group_runs
from src.report.load import RunResult
from src.report.recipes import Recipe, portable, recipes, setting_name, shell
from src.report.table_formats import escaped, markdown_table
from src.report.varying_settings import ABSENT, SEEDS

TYPED, IMAGES = "typed", "images"
"""Settings of our own, by which runs are grouped here."""

SHOWN = ("experiment", "data.root", "trainer.accelerator")
"""Words that are told otherwise: by the section, the data and the hardware."""

AS_WRITTEN = "as written"


@dataclass(frozen=True)
class CommandGroup:
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
    def named(self) -> list[tuple[str, RunResult]]:
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


def command_groups(report: Comparison, *chosen: str | None) -> list[CommandGroup]:
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
    shared = _shared_by_all(changes)
    names = [" ".join(word for word in words if word not in shared) for words in changes]
    return [
        CommandGroup(group, _words(group.runs[0]), _seeds(group.runs), name, " ".join(shared))
        for group, name in zip(groups, names, strict=True)
    ]


def _shared_by_all(changes: Sequence[Sequence[str]]) -> list[str]:
    """The words that are in all of several; none where that would leave nothing of one of them."""
    if len(changes) < 2:
        return []
    shared = [word for word in changes[0] if all(word in words for words in changes)]
    return shared if all(set(words) - set(shared) for words in changes) else []


def _images(run: RunResult) -> str:
    """What a run was trained and validated on."""
    return f"{run.source}, validated on {run.validated_on}"


def recipe_of(run: RunResult) -> str | None:
    """The recipe that a run was typed with, if any."""
    names = [word.partition("=")[2] for word in run.overrides if word.startswith("experiment=")]
    return names[-1] if names else None


def _words(run: RunResult) -> tuple[str, ...]:
    """The words of a run's command line, the recipe first, without its seed."""
    words = [word for word in portable(run.overrides) if setting_name(word) != SEEDS[0]]
    return tuple(sorted(words, key=lambda word: not word.startswith("experiment=")))


def _seeds(runs: Sequence[RunResult]) -> tuple[str, ...]:
    found = {run.settings.get(SEEDS[0], "0") for run in runs}
    return tuple(sorted(found, key=lambda seed: (len(seed), seed)))


def _changes(run: RunResult) -> list[str]:
    """What a command line changes that decides anything and has no column of its own."""
    return [
        word
        for word in _words(run)
        if setting_name(word) not in SHOWN and not is_incidental(setting_name(word))
    ]


NOT_RUN = "not run"
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
last point. It is not to be had publicly: without their `data.root` the commands take the originals,
downloaded where they are not there yet.
"""


def results_document(report: Comparison) -> str:
    """The document, in GitHub's Markdown: an overview, then each recipe, then the other runs."""
    known = recipes()
    lines = {recipe.name: command_groups(report, recipe.name) for recipe in known}
    others = command_groups(report, *({recipe_of(run) for run in report.finished} - set(lines)))
    parts = [
        INTRODUCTION.format(command=_own_command(report)),
        *_about_copy(report),
        "## Recipes",
        _overview(known, lines),
    ]
    for recipe in known:
        if lines[recipe.name]:
            parts += [f"### {recipe.name}", *_recipe(recipe, lines[recipe.name])]
    if others:
        parts += ["## Other runs", *_details(others)]
    if report.unfinished:
        names = "; ".join(
            f"{run.name} ({': '.join(filter(None, [run.state, run.reason]))})"
            for run in report.unfinished
        )
        parts += ["## Not finished, and not above", f"{escaped(names)}."]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _about_copy(report: Comparison) -> list[str]:
    """What the archive of that name is, where a run has read it."""
    return [ABOUT_JPEG_COPY] if any(JPEG_COPY in (run.source or "") for run in report.runs) else []


def _own_command(report: Comparison) -> str:
    """What this document is made by, where its places are plain names below the current one."""
    places = [str(place) for place in report.sweeps]
    sweep = places[0] if len(places) == 1 else f"[{','.join(places)}]"
    if not all(re.fullmatch(r"\w[\w./-]*", place) for place in places):
        sweep = "…"
    return f"python -m src.report {shlex.quote(f'sweep={sweep}')} format=results"


def _overview(known: Iterable[Recipe], lines: dict[str, list[CommandGroup]]) -> str:
    rows = []
    for recipe in known:
        ours = [
            f"{f'{line.name}: ' if line.name else ''}{_test(line.group)} ({_data(line.group)})"
            for line in lines[recipe.name]
        ]
        told = "; ".join(ours) or NOT_RUN
        shared = _shared(lines[recipe.name])
        told = f"with {shared}: {told}" if shared else told
        rows.append([recipe.name, recipe.published or ABSENT, told])
    return markdown_table(["recipe", "published", "ours: test (%)"], rows, words=3)


def _shared(lines: Sequence[CommandGroup]) -> str:
    return lines[0].shared if lines else ""


def _recipe(recipe: Recipe, lines: Sequence[CommandGroup]) -> list[str]:
    published = (
        [f"Published: {recipe.published}. Source: {recipe.source}."] if recipe.published else []
    )
    return [recipe.about, *published, *filter(None, [recipe.note]), *_details(lines)]


def _details(lines: Sequence[CommandGroup]) -> list[str]:
    rows = [_row(line) for line in lines]
    commands = "\n".join(line.command for line in lines)
    parts = [f"All with {escaped(_shared(lines))}:"] if _shared(lines) else []
    parts += [markdown_table(HEADERS, rows, words=WORDS), f"```bash\n{commands}\n```"]
    runs = [run for line in lines for run in line.group.runs]
    sources = "; ".join(dict.fromkeys(_source(run) for run in runs))
    parts.append(f"Data: {sources}.")
    parts += _validated_on_test(lines)
    parts += [text for line in lines for text in _by_epoch(line)]
    return parts + evaluations([named for line in lines for named in line.named])


def _validated_on_test(lines: Sequence[CommandGroup]) -> list[str]:
    """Whose validation images were those of the test set."""
    those = [line for line in lines if line.group.runs[0].validated_on == "test"]
    if not those:
        return []
    names = "; ".join(line.name or AS_WRITTEN for line in those)
    which = "" if len(those) == len(lines) else f", {names}"
    return [
        f"Validated on the test set (data.validate_on=test){which}: the validation column is of "
        "test images."
    ]


def _row(line: CommandGroup) -> list[str]:
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


def _by_epoch(line: CommandGroup) -> list[str]:
    """The validation accuracy after each epoch of a single short run."""
    curve = line.group.runs[0].curves.get("val/acc")
    if len(line.group.runs) > 1 or not curve or len(curve.values) > CURVE:
        return []
    values = ", ".join(f"{100 * value:.2f}" for value in curve.values)
    name = f" ({line.name})" if line.name else ""
    return [f"Validation accuracy after each epoch{name}: {values}."]


def _test(group: Group) -> str:
    return mean_text("test/acc", group.statistics.get("test/acc"))


def _source(run: RunResult) -> str:
    return without_folders(run.source or ABSENT)


def _data(group: Group) -> str:
    """The data set in few words: its name, and the archive or folder its images are from."""
    run = group.runs[0]
    place = re.sub(r" \([^()]*\)$", "", _source(run)).partition("images in ")[2]
    name = run.settings.get("data.name", "")
    return ", ".join(filter(None, [name, place]))
