"""Progress bar of training."""

from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import ProcessingSpeedColumn
from rich.progress import BarColumn

from src.training.classifier import ImageClassifier


class ProgressBar(RichProgressBar):
    """Shows what :class:`src.training.callbacks.metrics_logger.MetricsLogger` has read.

    It never waits for the device.
    """

    def __init__(self) -> None:
        super().__init__(refresh_rate=4)

    def configure_columns(self, trainer: Trainer) -> list[Any]:
        """Lightning's columns within 80 characters: a shorter bar, no batches per second."""
        columns = super().configure_columns(trainer)
        for column in columns:
            if isinstance(column, BarColumn):
                column.bar_width = 8
        return [column for column in columns if not isinstance(column, ProcessingSpeedColumn)]

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        assert isinstance(pl_module, ImageClassifier)
        return dict(pl_module.progress)

    def _get_train_description(self, current_epoch: int) -> str:
        last = self.trainer.max_epochs or -1
        return f"Epoch {current_epoch + 1}" + (f"/{last}" if last > 0 else "")
