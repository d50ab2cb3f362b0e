"""One line in the log for each epoch."""

import logging

import lightning as L

from src.training.callbacks.training_log import TrainingLog
from src.training.classifier import ImageClassifier

log = logging.getLogger(__name__)


class EpochLine(L.Callback):
    """Logs an epoch's losses, accuracies and speed, so that a log file tells the story."""

    def __init__(self, training_log: TrainingLog):
        """Take the speed from ``training_log``."""
        self.training_log = training_log

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the line."""
        assert isinstance(pl_module, ImageClassifier)
        # The module logs its training metrics after the callbacks have been called. Every rank
        # takes part in adding them up.
        stages = {"train": pl_module.train_metrics.compute()}
        if not trainer.is_global_zero:
            return
        if "val/loss" in trainer.callback_metrics:
            names = ("loss", "acc")
            stages["val"] = {name: trainer.callback_metrics[f"val/{name}"] for name in names}
        text = "  ".join(
            f"{stage} loss {float(metrics['loss']):.4f} acc {float(metrics['acc']):.4f}"
            for stage, metrics in stages.items()
        )
        of = f"/{trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
        speed = self.training_log.epoch_speed()
        images = "" if speed is None else f"  {speed:.0f} img/s"
        log.info("epoch %d%s  %s%s", trainer.current_epoch + 1, of, text, images)
