"""Results of ``src.evaluate`` in run directories, as rows of a document."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.errors import one_line
from src.files import read_json
from src.report.formatting import value_text, without_folders
from src.report.load import RunResult
from src.report.recipes import portable, setting_name, shell
from src.report.table_formats import escaped, markdown_table
from src.report.varying_settings import ABSENT

HEADERS = (
    *("run as", "weights", "images of"),
    *("images", "accuracy (%)", "95% interval", "averaged over views (%)"),
)
WORDS = 3
"""Of the headers, those above words."""

ACCURACY = "test/acc"
"""How an accuracy is written."""

NEEDED = ("checkpoint", "data", "images", "acc", "acc_interval")
"""Fields of ``metrics.json`` that every evaluation has."""

DIRECTORY = "<its directory>"
"""What stands for a run in a command: the one on record is of one machine."""


@dataclass(frozen=True)
class _Evaluation:
    """One ``metrics.json`` of an evaluation, as it is told.

    Attributes:
        cells: of its row, without the run's name.
        command: that repeats it; empty where it is not on record.
    """

    cells: tuple[str, ...]
    command: str


def evaluations(named: Sequence[tuple[str, RunResult]]) -> list[str]:
    """The paragraphs on what was evaluated after training; none where nothing was.

    Args:
        named: runs, and what tells them apart.
    """
    rows, commands, damaged = [], [], []
    for name, run in named:
        for file in sorted(run.path.glob("evaluation*/metrics.json")):
            try:
                found = _read(file)
            except (OSError, ValueError, TypeError, KeyError) as error:
                place, reason = f"{run.name}/{file.parent.name}", one_line(error)
                damaged.append(f"{place}: {reason.replace(f'{file.parent}/', '')}; left out.")
                continue
            rows.append([name, *found.cells])
            commands.append(found.command)
    parts = []
    if rows:
        lines = "\n".join(dict.fromkeys(filter(None, commands)))
        intro = f"Evaluated after training ({DIRECTORY}: where the command above has put its run):"
        parts += [escaped(intro), markdown_table(HEADERS, rows, words=WORDS)]
        parts += [f"```bash\n{lines}\n```"] if lines else []
    return parts + [escaped(line) for line in damaged]


def _read(file: Path) -> _Evaluation:
    """Read one evaluation.

    Raises:
        OSError: the file cannot be read.
        ValueError, TypeError, KeyError: it is not what an evaluation writes.
    """
    content: dict[str, Any] = read_json(file)
    missing = [key for key in NEEDED if key not in content]
    if missing:
        raise ValueError(f"metrics.json: {missing[0]} is missing")
    low, high = (_percent(limit, "acc_interval") for limit in content["acc_interval"])
    views = content.get("tta")
    cells = (
        _text(content["checkpoint"], "checkpoint"),
        without_folders(_text(content["data"], "data")),
        f"{_count(content['images'], 'images'):,}",
        _percent(content["acc"], "acc"),
        f"{low}–{high}",
        f"{views['views']}: {_percent(views['acc'], 'tta.acc')}" if views else ABSENT,
    )
    return _Evaluation(cells, _repeatable(content.get("command")))


def _percent(value: object, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"metrics.json: {name} is {str(value)[:20]!r}, not in 0..1")
    return value_text(ACCURACY, value)


def _count(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 10**12:
        raise ValueError(f"metrics.json: {name} is {str(value)[:20]!r}, not a number of images")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"metrics.json: {name} is {str(value)[:20]!r}, not a text")
    return value


def _repeatable(command: object) -> str:
    """The command with the run left open; empty where there is none that can be read."""
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        return ""
    return shell(_of_any_run(word) for word in portable(words))


def _of_any_run(word: str) -> str:
    """The word with the directory of the run left open."""
    key, value = setting_name(word), word.partition("=")[2]
    if key == "run":
        return f"run={DIRECTORY}"
    return f"ckpt={DIRECTORY}/checkpoints/{Path(value).name}" if key == "ckpt" else word
