"""Reading the training metrics off the device, every few steps."""

import time
from typing import Any

import lightning as L
from torch import Tensor

from src.training.classifier import ImageClassifier


class TrainingLog(L.Callback):
    """Logs ``train/loss``, ``train/acc``, ``lr`` and ``images_per_second`` every ``n`` steps.

    The figures are means over the steps since the last reading. Reading them is the only time
    a training step waits for the device.

    Attributes:
        images: trained on so far, over all ranks, resumed parts included.
        seconds: spent training so far, validation and checkpoints left out.
    """

    def __init__(self, every_n_steps: int):
        """Read every ``every_n_steps`` optimizer steps, and at the end of each epoch."""
        self.every_n_steps = every_n_steps
        self.images = 0
        self.seconds = 0.0
        self._clock = 0.0
        self._window_images = 0
        self._before: dict[str, float] = {}
        self._read_at = -1
        self._further: tuple[list[str], Tensor] | None = None
        self._epoch_start = (0, 0.0)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        assert isinstance(pl_module, ImageClassifier)
        self._before = pl_module.train_metrics.export()
        self._epoch_start = (self.images, self.seconds)
        self._clock = time.perf_counter()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock also where a resumed run begins in the middle of an epoch."""
        self._epoch_start = (self.images, self.seconds)
        self._clock = time.perf_counter()
        self._read_at = trainer.global_step

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count the batch; read the metrics when it is time."""
        self._window_images += batch.step_images or len(batch.labels)
        if self.is_due(trainer, trainer.global_step, batch_idx):
            self._read(trainer, pl_module)

    def is_due(self, trainer: L.Trainer, steps: int, batch_idx: int) -> bool:
        """Whether the metrics are read after a batch with which ``steps`` steps are done."""
        due = steps % self.every_n_steps == 0 and steps != self._read_at
        return due or batch_idx + 1 == trainer.num_training_batches

    def read_along(self, names: list[str], values: Tensor) -> None:
        """Log further figures with the next reading: ``values`` (N,), still on the device."""
        self._further = (names, values)

    def _read(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, ImageClassifier)
        now = pl_module.train_metrics.export()
        elapsed = time.perf_counter() - self._clock
        window = {key: now[key] - self._before[key] for key in now}
        count = max(window["count"], 1)
        figures = {
            "train/loss": window["loss_sum"] / count,
            "train/acc": window["correct"] / count,
            "lr": float(trainer.optimizers[0].param_groups[0]["lr"]),
            "images_per_second": self._window_images / max(elapsed, 1e-9),
        }
        if self._further is not None:
            names, values = self._further
            figures |= zip(names, values.tolist(), strict=True)
            self._further = None
        self.images += self._window_images
        self.seconds += elapsed
        self._window_images, self._before, self._read_at = 0, now, trainer.global_step
        pl_module.progress = {
            "loss": f"{figures['train/loss']:.3f}",
            "acc": f"{figures['train/acc']:.3f}",
            "img/s": f"{figures['images_per_second']:,.0f}",
        }
        # Counted from 0 as Lightning does, so that all rows of a step carry the same number.
        step = max(trainer.global_step - 1, 0)
        for logger in trainer.loggers:
            logger.log_metrics({**figures, "epoch": trainer.current_epoch}, step=step)
        self._clock = time.perf_counter()

    def epoch_speed(self) -> float:
        """Images a second in this epoch so far, or in what a resumed run did of it."""
        images, seconds = self._epoch_start
        return (self.images - images) / max(self.seconds - seconds, 1e-9)

    def state_dict(self) -> dict[str, Any]:
        """Totals and what has been counted since the last reading, for a resumed run."""
        unread = time.perf_counter() - self._clock if self._window_images else 0.0
        return {
            "images": self.images,
            "seconds": self.seconds + unread,
            "window_images": self._window_images,
            "before": dict(self._before),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them up."""
        self.images, self.seconds = state_dict["images"], state_dict["seconds"]
        self._window_images, self._before = state_dict["window_images"], state_dict["before"]
