"""``metrics.csv``, continued by a resumed run."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from src.files import replacing


class CsvLogger(Logger):
    """Appends a row to a CSV file for each set of metrics, at once.

    Lightning's own deletes the rows of a run that is resumed and writes them in batches.
    A column that is new makes the file anew with it; rows of a step that a resumed run is
    going to do again are left out.
    """

    def __init__(self, path: Path, resume_step: int | None = None):
        """Write to ``path``; keep only its rows before ``resume_step``, if that is given.

        The file stays as it is until the first row is appended.
        """
        super().__init__()
        self.path = path
        self.columns = ["step", "epoch"]
        self._resume_step = resume_step
        self._opened = False

    @property
    def name(self) -> str:
        """Without meaning here."""
        return ""

    @property
    def version(self) -> str:
        """Without meaning here."""
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Append one row."""
        if not self._opened:
            self._open()
        row = {key: _plain(value) for key, value in metrics.items()}
        row["step"] = step or 0
        new = [key for key in row if key not in self.columns]
        if new or not self.path.exists():
            rows = self._rows()
            self.columns += new
            self._write([*rows, row])
            return
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(row)

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the settings stand in ``.hydra/config.yaml``."""

    def _open(self) -> None:
        """Take up what an earlier part of the run has written."""
        self._opened = True
        if not self.path.exists():
            return
        # Half a line is what a crash may leave; its letters may be none.
        with self.path.open(newline="", errors="replace") as file:
            reader = csv.DictReader(file)
            rows = [row for row in reader if (row.get("step") or "").isdigit()]
            self.columns = list(reader.fieldnames or self.columns)
        end = self._resume_step
        self._write([row for row in rows if end is None or int(row["step"]) < end])

    def _rows(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))

    def _write(self, rows: list[dict[str, Any]]) -> None:
        with replacing(self.path) as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(rows)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) else value
