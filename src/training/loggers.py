"""Loggers: ``metrics.csv``, continued by a resumed run, and TensorBoard."""

import csv
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch import Tensor
from torch.utils.tensorboard.summary import hparams

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


COMPARED = ("val/acc", "val/loss", "test/acc", "test/loss")
"""What the HParams tab shows beside the settings.

The same for every run: TensorBoard takes the columns of all of them from the first it meets.
"""


def _chart(*tags: str) -> list[Any]:
    """A chart of the tags that match one of some regular expressions."""
    return ["Multiline", list(tags)]


LAYOUT = {
    "training": {
        # TensorBoard matches from the start: without $, train/loss_epoch would join in.
        "loss": _chart("train/loss$", "val/loss$"),
        "accuracy": _chart("train/acc$", "val/acc$"),
        "learning rate": _chart("lr$"),
        "images per second": _chart("images_per_second$"),
        "gradient norm by depth": _chart("gradient_norm/"),
    }
}
"""The Custom Scalars tab: training and validation on one chart, and the rest of the curves."""


class TensorBoard(TensorBoardLogger):
    """Writes TensorBoard events into the run directory itself.

    Attributes:
        begins_at: the step that a resumed run is going to do first; 0 in a new one.
    """

    def __init__(self, directory: Path, resume_step: int | None = None):
        """Write to ``directory``.

        ``resume_step`` makes TensorBoard drop the points a resumed run is going to draw again.
        """
        self.begins_at = resume_step or 0
        further: dict[str, Any] = {} if resume_step is None else {"purge_step": resume_step}
        super().__init__(
            save_dir=directory, name="", version="", default_hp_metric=False, **further
        )

    @rank_zero_only
    def save(self) -> None:
        """Flush; Lightning's would add a ``hparams.yaml`` with nothing in it.

        It calls this before training, when a resumed run's files are to stay as they are.
        """
        if self._experiment is not None:
            self._experiment.flush()


@rank_zero_only
def begin_run(
    loggers: Iterable[Logger],
    settings: Mapping[str, Any],
    pages: Mapping[str, str],
    chosen: Container[str] = (),
) -> None:
    """Write what is known before the first step: charts, pages, settings for HParams.

    Settings stand there from the start, so that a run that goes on, fails or is interrupted can
    be compared too. A resumed run adds its pages at the step it begins at; of the settings
    TensorBoard keeps those the run began with.

    Args:
        loggers: those of the Trainer; only TensorBoard is written to.
        settings: flat, plain values by name.
        pages: what the Text tab shows by title, verbatim.
        chosen: settings that HParams shows first, for they tell the run from others.
    """
    for logger in _writers(loggers):
        logger.experiment.add_custom_scalars(LAYOUT)
        for title, text in pages.items():
            logger.experiment.add_text(title, f"```\n{text.rstrip()}\n```", logger.begins_at)
        # The logger's own method would log each metric too, as -1 or 0 at step 0.
        experiment, start, _ = hparams(dict(settings), dict.fromkeys(COMPARED, 0.0))
        for summary in (_with_first(experiment, chosen), start):
            logger.experiment._get_file_writer().add_summary(summary)
        logger.experiment.flush()


@rank_zero_only
def end_run(loggers: Iterable[Logger]) -> None:
    """Tell HParams that the run has succeeded."""
    for logger in _writers(loggers):
        _, _, end = hparams({}, {})
        logger.experiment._get_file_writer().add_summary(end)
        logger.experiment.flush()


def _with_first(summary: Summary, chosen: Container[str]) -> Summary:
    """Mark settings as differing between runs: TensorBoard lists those before the others."""
    content = summary.value[0].metadata.plugin_data
    parsed = HParamsPluginData.FromString(content.content)
    for info in parsed.experiment.hparam_infos:
        info.differs = info.name in chosen
    content.content = parsed.SerializeToString()
    return summary


def _writers(loggers: Iterable[Logger]) -> list[TensorBoard]:
    return [logger for logger in loggers if isinstance(logger, TensorBoard)]
