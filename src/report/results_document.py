"""Results document: published figures, those of these runs, and the commands that repeat them."""

import re
import shlex
from collections.abc import Iterable, Sequence
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
from src.report.formatting import ABSENT, mean_text, number_text, time_text, value_text
from src.report.load import SEEDS, RunResult, setting_name
from src.report.recipes import archive_name, portable, recipes, shell
from src.report.statistics import Group, group_runs
from src.report.tables import Table, escaped, markdown_table
from src.text import shorten

SHOWN = ("experiment", "data.root", "trainer.accelerator")  # shown as section, data and hardware
AS_WRITTEN = "as written"
CURVE = 10  # most epochs for which the accuracy after each is given
DIRECTORY = "<its directory>"  # stands in commands for the run, whose place is of one machine

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
    """Runs of one command but for their seeds."""

    group: Group
    changes: str  # what this command changes of its recipe and not all others do; may be empty
    shared: str  # what all commands of the recipe change, where they change other things besides

    @property
    def name(self) -> str:
        """What the runs are called in a table."""
        return self.changes or AS_WRITTEN

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


def command_groups(report: Comparison, *chosen: str | None) -> list[CommandGroup]:
    """The finished runs of some recipes (None: of no recipe), those typed alike together."""
    runs = [run for run in report.finished if run.choices.get("experiment") in chosen]
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
    known = recipes()
    lines = {recipe: command_groups(report, recipe.name) for recipe in known}
    chosen = {run.choices.get("experiment") for run in report.finished}
    others = command_groups(report, *(chosen - {recipe.name for recipe in known}))
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
        ABOUT_JPEG_COPY if has_copy else "",
        "## Recipes",
        markdown_table(Table(pd.DataFrame(overview, dtype=object), words=3)),
    ]
    for recipe in known:
        if lines[recipe]:
            published = f"Published: {recipe.published}. Source: {recipe.source}."
            parts += [f"### {recipe.name}", recipe.about, published if recipe.published else ""]
            parts += [recipe.note, *_details(lines[recipe])]
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
        place = re.sub(r" \([^()]*\)$", "", _source(line.first)).partition("images in ")[2]
        data = ", ".join(filter(None, [line.first.settings.get("data.name"), place]))
        changes = f"{line.changes}: " if line.changes else ""
        told.append(f"{changes}{mean_text('test/acc', line.group.statistics)} ({data})")
    return (f"with {lines[0].shared}: " if lines[0].shared else "") + "; ".join(told)


def _details(lines: Sequence[CommandGroup]) -> list[str]:
    """The paragraphs on a recipe: table, commands, data, and what was evaluated afterwards."""
    runs = [run for line in lines for run in line.group.runs]
    on_test = [line for line in lines if line.first.facts.get("data.validate_on") == "test"]
    which = "" if len(on_test) == len(lines) else f", {'; '.join(line.name for line in on_test)}"
    return [
        f"All with {escaped(lines[0].shared)}:" if lines[0].shared else "",
        markdown_table(Table(pd.DataFrame(map(_row, lines), dtype=object), words=1)),
        _bash(line.command for line in lines),
        f"Data: {'; '.join(dict.fromkeys(map(_source, runs)))}.",
        f"Validated on the test set (data.validate_on=test){which}: the validation column is of "
        "test images."
        if on_test
        else "",
        *map(_by_epoch, lines),
        *_evaluations(lines),
    ]


def _row(line: CommandGroup) -> dict[str, str]:
    found = line.group.statistics
    hardware = [line.first.hardware, line.first.facts.get("compute.precision")]
    return {
        "run as": line.name,
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


def _bash(commands: Iterable[str]) -> str:
    return "\n".join(["```bash", *commands, "```"])


def _by_epoch(line: CommandGroup) -> str:
    """The validation accuracy after each epoch of a single short run."""
    curve = line.first.curves.get("val/acc", ())
    if len(line.group.runs) > 1 or not 0 < len(curve) <= CURVE:
        return ""
    values = ", ".join(f"{100 * value:.2f}" for value in curve)
    changes = f" ({line.changes})" if line.changes else ""
    return f"Validation accuracy after each epoch{changes}: {values}."


def _source(run: RunResult) -> str:
    return archive_name(run.facts.get("data.source", ABSENT))


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
        words = [re.sub(r"^\+*run=.*", f"run={DIRECTORY}", word, flags=re.S) for word in words]
        weights = rf"ckpt={DIRECTORY}/checkpoints/\1"
        return shell(re.sub(r"^\+*ckpt=(?:.*/)?(.*)$", weights, word) for word in words)


def _evaluations(lines: Sequence[CommandGroup]) -> list[str]:
    """The paragraphs on what was evaluated after training."""
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
    parts = []
    if rows:
        intro = f"Evaluated after training ({DIRECTORY}: where the command above has put its run):"
        parts += [escaped(intro), markdown_table(Table(pd.DataFrame(rows, dtype=object), words=3))]
        parts += [_bash(dict.fromkeys(filter(None, commands)))] if any(commands) else []
    return parts + [escaped(line) for line in damaged]
