"""Results of ``src.evaluate`` in run directories, as rows of a document."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from src.errors import one_line
from src.files import read_json
from src.report.formatting import ABSENT, value_text, without_folders
from src.report.load import RunResult, checked, setting_name
from src.report.recipes import portable, shell
from src.report.tables import Table, escaped, markdown_table

DIRECTORY = "<its directory>"
"""What stands for a run in a command: the one on record is of one machine."""


def evaluations(named: Sequence[tuple[str, RunResult]]) -> list[str]:
    """The paragraphs on what was evaluated after training, of runs and what they are called."""
    rows, commands, damaged = [], [], []
    for name, run in named:
        for file in sorted(run.path.glob("evaluation*/metrics.json")):
            try:
                content = read_json(file)
                rows.append({"run as": name, **_row(content)})
            except (OSError, ValueError, TypeError, KeyError) as error:
                place, reason = f"{run.name}/{file.parent.name}", one_line(error)
                damaged.append(f"{place}: {reason.replace(f'{file.parent}/', '')}; left out.")
            else:
                commands.append(_repeatable(content.get("command")))
    parts = []
    if rows:
        intro = f"Evaluated after training ({DIRECTORY}: where the command above has put its run):"
        parts += [escaped(intro), markdown_table(Table(pd.DataFrame(rows, dtype=object), words=3))]
        lines = "\n".join(dict.fromkeys(filter(None, commands)))
        parts += [f"```bash\n{lines}\n```"] if lines else []
    return parts + [escaped(line) for line in damaged]


def _row(content: Mapping[str, Any]) -> dict[str, str]:
    def percent(fields: Mapping[str, Any], key: str = "acc") -> str:
        return value_text("test/acc", checked(fields, key, int, float, most=1))

    interval = dict(zip(("low", "high"), content["acc_interval"], strict=True))
    views = content.get("tta")
    return {
        "weights": checked(content, "checkpoint", str),
        "images of": without_folders(checked(content, "data", str)),
        "images": f"{checked(content, 'images', int, least=1):,}",
        "accuracy (%)": percent(content),
        "95% interval": f"{percent(interval, 'low')}–{percent(interval, 'high')}",
        "averaged over views (%)": f"{views['views']}: {percent(views)}" if views else ABSENT,
    }


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
