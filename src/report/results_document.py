"""Results document: published figures, those of these runs, and the commands that repeat them."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import pandas as pd
from annotated_types import Ge, Interval
from pydantic.dataclasses import dataclass as pydantic_dataclass

from src.config.fields import LENIENT, Float, Int, typed
from src.config.run_key import is_incidental
from src.errors import UserError, one_line
from src.files import read_json
from src.report.comparison import Comparison
from src.report.formatting import (
    ABSENT,
    mean_text,
    number_text,
    render,
    time_text,
    value_text,
)
from src.report.load import SEEDS, RunResult, setting_name
from src.report.recipes import Recipe, archive_name, portable, recipes, shell
from src.report.statistics import Group, group_runs
from src.report.tables import Table, escaped, markdown_table
from src.text import shorten

SHOWN = ("experiment", "data.root", "trainer.accelerator")  # shown as section, data and hardware
CURVE = 10  # most epochs for which the accuracy after each is given
PLACEHOLDER = "<its directory>"  # stands in commands for the run, whose place is of one machine
JPEG_COPY = "cifar10-jpeg.tar.xz"


@dataclass(frozen=True)
class CommandGroup:
    """Runs of one command but for their seeds."""

    group: Group
    changes: str  # what this command changes of its recipe and not all others do; may be empty
    shared: str  # what all commands of the recipe change, where they change other things besides

    @property
    def name(self) -> str:
        """What the runs are called in a table."""
        return self.changes or "as written"

    @property
    def first(self) -> RunResult:
        """A run that stands for all."""
        return self.group.runs[0]

    @property
    def named(self) -> list[tuple[str, RunResult]]:
        """Each run with its name in a table: with its seed where they are several."""
        if len(self.group.runs) == 1:
            return [(self.name, self.first)]
        return [(f"{self.name}, seed={run.settings.get(SEEDS[0])}", run) for run in self.group.runs]

    @property
    def command(self) -> str:
        """The command that repeats them."""
        seeds = {run.settings.get(SEEDS[0], "0") for run in self.group.runs}
        start = ["python", "-m", "src.train", *(["-m"] if len(seeds) > 1 else [])]
        seed = f"seed={','.join(sorted(seeds, key=lambda seed: (len(seed), seed)))}"
        return shell([*start, *_words(self.first), *([seed] if seeds != {"0"} else [])])

    @property
    def sources(self) -> list[str]:
        """Where the images of each run are from."""
        return [archive_name(run.facts.get("data.source", ABSENT)) for run in self.group.runs]

    @property
    def is_validated_on_test(self) -> bool:
        """Whether its validation figures are of test images."""
        return self.first.facts.get("data.validate_on") == "test"

    @property
    def accuracies(self) -> str:
        """The validation accuracy after each epoch of a single short run."""
        curve = self.first.curves.get("val/acc", ())
        is_shown = len(self.group.runs) == 1 and len(curve) <= CURVE
        return ", ".join(f"{100 * value:.2f}" for value in curve) if is_shown else ""

    @property
    def cells(self) -> dict[str, str]:
        """Its row of a table."""
        found, runs = self.group.statistics, self.group.runs
        hardware = [self.first.hardware, self.first.facts.get("compute.precision")]
        return {
            "run as": self.name,
            "epochs": number_text(found["epochs mean"]),
            "train (%)": mean_text("train/acc", found),
            "validation (%)": mean_text("val/acc", found),
            "test (%)": mean_text("test/acc", found),
            "runs": str(len(runs)),
            "time a run": time_text(found["train_seconds mean"]),
            "images/s": number_text(pd.Series([run.speed for run in runs]).mean()),
            "hardware": ", ".join(filter(None, hardware)) or ABSENT,
            "commit": ", ".join(dict.fromkeys(run.commit or ABSENT for run in runs)),
        }


def command_groups(runs: Sequence[RunResult], metric: str) -> list[CommandGroup]:
    """Finished runs of a recipe, those typed alike together."""
    if not runs:
        return []
    settings = [
        {
            "typed": " ".join(_changes(run)),
            "images": str([run.facts.get(f"data.{key}") for key in ("source", "validate_on")]),
        }
        for run in runs
    ]
    groups = group_runs(runs, settings, metric)
    changes = [_changes(group.runs[0]) for group in groups]
    shared = [word for word in _changes(runs[0]) if all(word in words for words in changes)]
    if any(set(words) <= set(shared) for words in changes):
        shared = []
    names = (" ".join(word for word in words if word not in shared) for words in changes)
    return [CommandGroup(*named, " ".join(shared)) for named in zip(groups, names, strict=True)]


def _words(run: RunResult) -> list[str]:
    """The words of a run's command line, the recipe first, without its seed."""
    words = [word for word in portable(run.overrides) if setting_name(word) != SEEDS[0]]
    return sorted(words, key=lambda word: not word.startswith("experiment="))


def _changes(run: RunResult) -> list[str]:
    """The words of a command line that decide anything and have no column of their own."""
    return [
        word
        for word in _words(run)
        if setting_name(word) not in SHOWN and not is_incidental(setting_name(word))
    ]


def results_document(report: Comparison) -> str:
    """The document, in GitHub's Markdown: an overview, then each recipe, then the other runs."""
    known: dict[str | None, Recipe] = {recipe.name: recipe for recipe in recipes()}
    runs: dict[str | None, list[RunResult]] = {name: [] for name in (*known, None)}
    for run in report.finished:
        name = run.choices.get("experiment")
        runs[name if name in known else None].append(run)
    lines = {name: command_groups(runs[name], report.metric) for name in runs}
    overview = [
        {
            "recipe": recipe.name,
            "published": recipe.published or ABSENT,
            "ours: test (%)": _in_short(lines[name]),
        }
        for name, recipe in known.items()
    ]
    unfinished = [
        f"{run.name} ({': '.join(filter(None, [run.state, run.reason]))})"
        for run in report.unfinished
    ]
    return render(
        "results.md",
        command=_own_command(report),
        has_jpeg_copy=any(JPEG_COPY in run.facts.get("data.source", "") for run in report.runs),
        overview=overview,
        sections=[(known.get(name), lines[name]) for name in lines],
        unfinished="; ".join(unfinished),
        table=lambda rows, words: markdown_table(Table(pd.DataFrame(rows, dtype=object), words)),
        escaped=escaped,
        evaluations=_evaluations,
    )


def _own_command(report: Comparison) -> str:
    """The command of this document, where its places are plain names below the current one."""
    places = [str(place) for place in report.sweeps]
    sweep = places[0] if len(places) == 1 else f"[{','.join(places)}]"
    if not all(re.fullmatch(r"\w[\w./-]*", place) for place in places):
        sweep = "…"
    return f"python -m src.report {shlex.quote(f'sweep={sweep}')} format=results"


def _in_short(lines: Sequence[CommandGroup]) -> str:
    """Test accuracies of a recipe: what was changed, the accuracy, the data."""
    if not lines:
        return "not run"
    told = []
    for line in lines:
        # The name of the data set, and the archive or folder its images are from.
        place = re.sub(r" \([^()]*\)$", "", line.sources[0]).partition("images in ")[2]
        data = ", ".join(filter(None, [line.first.settings.get("data.name"), place]))
        changes = f"{line.changes}: " if line.changes else ""
        told.append(f"{changes}{mean_text('test/acc', line.group.statistics)} ({data})")
    return (f"with {lines[0].shared}: " if lines[0].shared else "") + "; ".join(told)


Share = Annotated[Float, Interval(ge=0, le=1)]


@pydantic_dataclass(config=LENIENT)
class AveragedViews:
    """Accuracy of predictions averaged over several views of each image."""

    views: str
    acc: Float


@pydantic_dataclass(config=LENIENT)
class Evaluation:
    """What is shown of a ``metrics.json`` of ``src.evaluate``."""

    checkpoint: str
    data: str
    images: Annotated[Int, Ge(1)]
    acc: Share
    acc_interval: tuple[Share, Share]
    tta: AveragedViews | None = None
    command: str | None = None

    @property
    def cells(self) -> dict[str, str]:
        """Its row of a table."""
        low, high = (value_text("test/acc", end) for end in self.acc_interval)
        views = self.tta and f"{self.tta.views}: {value_text('test/acc', self.tta.acc)}"
        return {
            "weights": self.checkpoint,
            "images of": archive_name(self.data),
            "images": f"{self.images:,}",
            "accuracy (%)": value_text("test/acc", self.acc),
            "95% interval": f"{low}–{high}",
            "averaged over views (%)": views or ABSENT,
        }

    @property
    def repeatable(self) -> str:
        """The command for any run directory; empty where it cannot be read."""
        try:
            words = portable(shlex.split(self.command or ""))
        except ValueError:
            return ""
        words = [re.sub(r"^\+*run=.*", f"run={PLACEHOLDER}", word, flags=re.S) for word in words]
        weights = rf"ckpt={PLACEHOLDER}/checkpoints/\1"
        return shell(re.sub(r"^\+*ckpt=(?:.*/)?(.*)$", weights, word) for word in words)


def _evaluations(
    lines: Sequence[CommandGroup],
) -> tuple[list[dict[str, str]], list[str], list[str]]:
    """What was evaluated after training: rows of a table, commands, what cannot be read."""
    rows, commands, damaged = [], [], []
    for name, run in [named for line in lines for named in line.named]:
        for file in sorted(run.path.glob("evaluation*/metrics.json")):
            try:
                found = typed(Evaluation, read_json(file), "")
            except (OSError, ValueError, TypeError, UserError) as error:
                reason = shorten(one_line(error).replace(f"{file}: ", ""), 200)
                place = f"{run.name}/{file.parent.name}: {file.name}"
                damaged.append(f"{place}: {reason}; left out.")
            else:
                rows.append({"run as": name, **found.cells})
                commands.append(found.repeatable)
    return rows, list(dict.fromkeys(filter(None, commands))), damaged
