"""What ``python -m src.evaluate`` left in run directories: other images, other weights, views."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.config.errors import one_line
from src.files import read_json
from src.reports.collect import Run
from src.reports.settings import ABSENT
from src.reports.tables import escaped, markdown_table
from src.reports.wording import value_text, without_folders

__all__ = ["evaluations"]

HEADERS = (
    *("run as", "weights", "images of"),
    *("images", "accuracy (%)", "95% interval", "averaged over views (%)"),
)
WORDS = 3
"""Of the headers, those above words."""

ACCURACY = "test/acc"
"""How an accuracy is written."""

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


def evaluations(named: Sequence[tuple[str, Run]]) -> list[str]:
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
                place = f"{run.name}/{file.parent.name}"
                damaged.append(f"{place} cannot be read: {one_line(error)}.")
                continue
            rows.append([name, *found.cells])
            commands.append(found.command)
    parts = []
    if rows:
        lines = "\n".join(dict.fromkeys(filter(None, commands)))
        parts += ["Evaluated after training:", markdown_table(HEADERS, rows, words=WORDS)]
        parts += [f"```bash\n{lines}\n```"] if lines else []
    return parts + [escaped(line) for line in damaged]


def _read(file: Path) -> _Evaluation:
    """Read one evaluation.

    Raises:
        OSError: the file cannot be read.
        ValueError, TypeError, KeyError: it is not what an evaluation writes.
    """
    content: dict[str, Any] = read_json(file)
    low, high = (value_text(ACCURACY, limit) for limit in content["acc_interval"])
    views = content.get("tta")
    cells = (
        str(content["checkpoint"]),
        without_folders(str(content["data"])),
        f"{content['images']:,}",
        value_text(ACCURACY, content["acc"]),
        f"{low}–{high}",
        f"{views['views']}: {value_text(ACCURACY, views['acc'])}" if views else ABSENT,
    )
    return _Evaluation(cells, _repeatable(str(content.get("command") or "")))


def _repeatable(command: str) -> str:
    """The command without the places of one machine."""
    words = []
    for word in shlex.split(command):
        key, _, value = word.partition("=")
        if key in ("run", "ckpt"):
            words.append(f"{key}='{DIRECTORY}{_weights(value) if key == 'ckpt' else ''}'")
        elif key == "data.root":
            words.append(shlex.join([f"{key}={Path(value).name}"]))
        elif key != "output":
            words.append(shlex.join([word]))
    return " ".join(words)


def _weights(path: str) -> str:
    return f"/checkpoints/{Path(path).name}"
