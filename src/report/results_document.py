"""Results document: published figures, those of these runs, and the commands that repeat them."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from src.config.run_key import is_incidental
from src.report.comparison import Comparison
from src.report.evaluations import evaluations
from src.report.formatting import ABSENT, mean_text, number_text, time_text, without_folders
from src.report.groups import Group, group_runs
from src.report.load import SEEDS, RunResult, setting_name
from src.report.recipes import Recipe, portable, recipes, shell
from src.report.tables import Table, escaped, markdown_table

SHOWN = ("experiment", "data.root", "trainer.accelerator")
"""Words that are told otherwise: by the section, the data and the hardware."""

AS_WRITTEN = "as written"
CURVE = 10
"""Epochs up to which the accuracy after each is given."""

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


@dataclass(frozen=True)
class CommandGroup:
    """Runs of one command but for their seeds.

    Attributes:
        group: the runs.
        name: what the command changes of its recipe that its other lines do not; may be empty.
        shared: what all lines of the recipe change of it, where they change other things besides.
    """

    group: Group
    name: str
    shared: str

    @property
    def first(self) -> RunResult:
        """A run that stands for all."""
        return self.group.runs[0]

    @property
    def named(self) -> list[tuple[str, RunResult]]:
        """Each of the runs by what it is called where they do not stand together."""
        name = self.name or AS_WRITTEN
        if len(self.group.runs) == 1:
            return [(name, self.first)]
        return [(f"{name}, seed={run.settings.get(SEEDS[0])}", run) for run in self.group.runs]

    @property
    def command(self) -> str:
        """The command that repeats them."""
        seeds = {run.settings.get(SEEDS[0], "0") for run in self.group.runs}
        start = ["python", "-m", "src.train", *(["-m"] if len(seeds) > 1 else [])]
        seed = f"seed={','.join(sorted(seeds, key=lambda seed: (len(seed), seed)))}"
        return shell([*start, *_words(self.first), *([seed] if seeds != {"0"} else [])])


def command_groups(report: Comparison, *chosen: str | None) -> list[CommandGroup]:
    """The finished runs of some recipes (None: of no recipe), those typed alike together."""
    runs = [run for run in report.finished if recipe_of(run) in chosen]
    settings = [
        {
            "typed": " ".join(_changes(run)),
            "images": str([run.facts.get(f"data.{key}") for key in ("source", "validate_on")]),
        }
        for run in runs
    ]
    groups = group_runs(runs, settings, report.metric)
    changes = [_changes(group.runs[0]) for group in groups]
    shared = [word for word in changes[0] if all(word in w for w in changes)] if changes else []
    if len(changes) < 2 or not all(set(words) - set(shared) for words in changes):
        shared = []
    names = [" ".join(word for word in words if word not in shared) for words in changes]
    return [
        CommandGroup(group, name, " ".join(shared))
        for group, name in zip(groups, names, strict=True)
    ]


def recipe_of(run: RunResult) -> str | None:
    """The recipe that a run was typed with, if any."""
    return run.choices.get("experiment")


def _words(run: RunResult) -> list[str]:
    """The words of a run's command line, the recipe first, without its seed."""
    words = [word for word in portable(run.overrides) if setting_name(word) != SEEDS[0]]
    return sorted(words, key=lambda word: not word.startswith("experiment="))


def _changes(run: RunResult) -> list[str]:
    """What a command line changes that decides anything and has no column of its own."""
    return [
        word
        for word in _words(run)
        if setting_name(word) not in SHOWN and not is_incidental(setting_name(word))
    ]


def results_document(report: Comparison) -> str:
    """The document, in GitHub's Markdown: an overview, then each recipe, then the other runs."""
    known = recipes()
    lines = {recipe: command_groups(report, recipe.name) for recipe in known}
    named = {recipe.name for recipe in known}
    others = command_groups(report, *({recipe_of(run) for run in report.finished} - named))
    has_copy = any(JPEG_COPY in run.facts.get("data.source", "") for run in report.runs)
    overview = [
        {
            "recipe": recipe.name,
            "published": recipe.published or ABSENT,
            "ours: test (%)": _in_short(lines[recipe]),
        }
        for recipe in known
    ]
    parts = [
        INTRODUCTION.format(command=_own_command(report)),
        *([ABOUT_JPEG_COPY] if has_copy else []),
        "## Recipes",
        markdown_table(Table(pd.DataFrame(overview, dtype=object), words=3)),
    ]
    for recipe in known:
        if lines[recipe]:
            parts += [f"### {recipe.name}", *_about(recipe), *_details(lines[recipe])]
    if others:
        parts += ["## Other runs", *_details(others)]
    if report.unfinished:
        names = "; ".join(
            f"{run.name} ({': '.join(filter(None, [run.state, run.reason]))})"
            for run in report.unfinished
        )
        parts += ["## Not finished, and not above", f"{escaped(names)}."]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _own_command(report: Comparison) -> str:
    """What this document is made by, where its places are plain names below the current one."""
    places = [str(place) for place in report.sweeps]
    sweep = places[0] if len(places) == 1 else f"[{','.join(places)}]"
    if not all(re.fullmatch(r"\w[\w./-]*", place) for place in places):
        sweep = "…"
    return f"python -m src.report {shlex.quote(f'sweep={sweep}')} format=results"


def _in_short(lines: Sequence[CommandGroup]) -> str:
    """Test accuracies of a recipe: what was changed, the accuracy, the data."""
    told = []
    for line in lines:
        # The name of the data set, and the archive or folder its images are from.
        place = re.sub(r" \([^()]*\)$", "", _source(line.first)).partition("images in ")[2]
        data = ", ".join(filter(None, [line.first.settings.get("data.name"), place]))
        name = f"{line.name}: " if line.name else ""
        told.append(f"{name}{mean_text('test/acc', line.group.statistics)} ({data})")
    shared = f"with {lines[0].shared}: " if lines and lines[0].shared else ""
    return shared + "; ".join(told) or "not run"


def _about(recipe: Recipe) -> list[str]:
    published = f"Published: {recipe.published}. Source: {recipe.source}."
    return [recipe.about, *([published] if recipe.published else []), recipe.note]


def _details(lines: Sequence[CommandGroup]) -> list[str]:
    runs = [run for line in lines for run in line.group.runs]
    commands = "\n".join(line.command for line in lines)
    sources = "; ".join(dict.fromkeys(map(_source, runs)))
    return [
        f"All with {escaped(lines[0].shared)}:" if lines[0].shared else "",
        markdown_table(Table(pd.DataFrame(map(_row, lines), dtype=object), words=1)),
        f"```bash\n{commands}\n```",
        f"Data: {sources}.",
        _validated_on_test(lines),
        *map(_by_epoch, lines),
        *evaluations([named for line in lines for named in line.named]),
    ]


def _row(line: CommandGroup) -> dict[str, str]:
    found = line.group.statistics
    hardware = [line.first.hardware, line.first.facts.get("compute.precision")]
    return {
        "run as": line.name or AS_WRITTEN,
        "epochs": number_text(found["epochs mean"]),
        "train (%)": mean_text("train/acc", found),
        "validation (%)": mean_text("val/acc", found),
        "test (%)": mean_text("test/acc", found),
        "runs": str(len(line.group.runs)),
        "time a run": time_text(found["train_seconds mean"]),
        "images/s": number_text(pd.Series([run.speed for run in line.group.runs]).mean()),
        "hardware": ", ".join(filter(None, hardware)) or ABSENT,
        "commit": ", ".join(dict.fromkeys(run.commit or ABSENT for run in line.group.runs)),
    }


def _validated_on_test(lines: Sequence[CommandGroup]) -> str:
    """Whose validation images were those of the test set."""
    those = [line for line in lines if line.first.facts.get("data.validate_on") == "test"]
    names = "; ".join(line.name or AS_WRITTEN for line in those)
    which = "" if len(those) == len(lines) else f", {names}"
    told = f"Validated on the test set (data.validate_on=test){which}: the validation column is of "
    return f"{told}test images." if those else ""


def _by_epoch(line: CommandGroup) -> str:
    """The validation accuracy after each epoch of a single short run."""
    curve = line.first.curves.get("val/acc", ())
    if len(line.group.runs) > 1 or not 0 < len(curve) <= CURVE:
        return ""
    values = ", ".join(f"{100 * value:.2f}" for value in curve)
    name = f" ({line.name})" if line.name else ""
    return f"Validation accuracy after each epoch{name}: {values}."


def _source(run: RunResult) -> str:
    return without_folders(run.facts.get("data.source", ABSENT))
