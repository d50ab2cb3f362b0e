"""Loggers: ``metrics.csv``, continued by a resumed run, and TensorBoard."""

import csv
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch import Tensor
from torch.utils.tensorboard.summary import hparams

from src.files import replacing


class CsvLogger(Logger):
    """Appends one row to a CSV file for each set of metrics, without delay.

    A new column rewrites the file. The first row drops those that a resumed run will repeat, from
    ``resume_step`` on. Lightning's CSVLogger deletes all rows then, and writes in batches.
    """

    name = version = ""

    def __init__(self, path: Path, resume_step: int | None = None):
        super().__init__()
        self.path = path
        self.columns = ["step", "epoch"]
        self._resume_step = resume_step
        self._opened = False

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        row = {key: v.item() if isinstance(v, Tensor) else v for key, v in metrics.items()}
        row["step"] = step
        if self._opened and row.keys() <= set(self.columns) and self.path.exists():
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, self.columns).writerow(row)
            return
        rows = self._read() if self.path.exists() else []
        end = None if self._opened else self._resume_step
        self._opened = True
        self.columns += [key for key in row if key not in self.columns]
        with replacing(self.path) as file:
            # A damaged row may have more cells than there are columns.
            writer = csv.DictWriter(file, self.columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept for kept in rows if end is None or int(kept["step"]) < end)
            writer.writerow(row)

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the settings are in ``.hydra/config.yaml``."""

    def _read(self) -> list[dict[str, Any]]:
        """Read the rows, and adopt the columns, that are in the file."""
        # A crash may leave half a line, or bytes that are no UTF-8.
        with self.path.open(newline="", errors="replace") as file:
            reader = csv.DictReader(file)
            rows = [row for row in reader if (row.get("step") or "").isdecimal()]
            self.columns = list(reader.fieldnames or self.columns)
        return rows


# In the HParams tab: TensorBoard takes the columns of all runs from the first run it reads.
HPARAMS_METRICS = ("val/acc", "val/loss", "test/acc", "test/loss")

# Charts of the Custom Scalars tab.
CUSTOM_SCALARS = {
    "training": {
        # TensorBoard matches from the start: without $, train/loss_epoch would match too.
        "loss": ["Multiline", ["train/loss$", "val/loss$"]],
        "accuracy": ["Multiline", ["train/acc$", "val/acc$"]],
        "learning rate": ["Multiline", ["lr$"]],
        "images per second": ["Multiline", ["images_per_second$"]],
        "gradient norm by depth": ["Multiline", ["gradient_norm/"]],
    }
}


class TensorBoard(TensorBoardLogger):
    """Writes events into the run directory itself; hides earlier ones from ``resume_step`` on."""

    def __init__(self, directory: Path, resume_step: int | None = None):
        self.first_step = resume_step or 0
        super().__init__(
            directory, name="", version="", default_hp_metric=False, purge_step=resume_step
        )

    @rank_zero_only
    def save(self) -> None:
        """Flush the events, without the empty ``hparams.yaml`` that Lightning adds."""
        # Lightning calls it before training, when a resumed run's files must stay as they are.
        if self._experiment is not None:
            self._experiment.flush()


def begin_run(
    loggers: Iterable[Logger],
    settings: dict[str, Any],
    pages: Mapping[str, str],
    chosen: Container[str],
) -> None:
    """Write charts, the texts of ``pages`` and the settings for HParams, ``chosen`` ones first.

    At the start, so that runs that fail can be compared too.
    """
    # log_hyperparams of the logger would log each metric too, as -1 or 0 at step 0.
    experiment, start, _ = hparams(settings, dict.fromkeys(HPARAMS_METRICS, 0.0))
    content = experiment.value[0].metadata.plugin_data
    parsed = HParamsPluginData.FromString(content.content)
    for info in parsed.experiment.hparam_infos:
        info.differs = info.name in chosen  # those that differ between runs come first
    content.content = parsed.SerializeToString()
    for logger in tensorboards(loggers):
        logger.experiment.add_custom_scalars(CUSTOM_SCALARS)
        for title, text in pages.items():
            logger.experiment.add_text(title, f"```\n{text.rstrip()}\n```", logger.first_step)
        for summary in (experiment, start):
            logger.experiment._get_file_writer().add_summary(summary)
        logger.experiment.flush()


def end_run(loggers: Iterable[Logger]) -> None:
    """Mark the run as successful in HParams."""
    for logger in tensorboards(loggers):
        _, _, end = hparams({}, {})
        logger.experiment._get_file_writer().add_summary(end)
        logger.experiment.flush()


def tensorboards(loggers: Iterable[Logger]) -> list[TensorBoard]:
    """The loggers that write to TensorBoard."""
    return [logger for logger in loggers if isinstance(logger, TensorBoard)]
