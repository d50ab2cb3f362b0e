"""Metrics of training every n steps, without waiting for the device; one log line an epoch."""

import logging
import time
from typing import Any

from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from src.training.classifier import ImageClassifier

log = logging.getLogger(__name__)


class MetricsLogger(Callback):
    """Logs ``train/loss``, ``train/acc``, ``lr`` and ``images_per_second`` every ``n`` steps.

    Metrics are means over the steps since the last reading, also across the end of an epoch: a mean
    over the few images of a remainder would be an outlier. An epoch of fewer than ``n`` steps is
    read at its end. Training waits for the device only on a reading and on the first batch of each
    shape, whose step is start-up: loader processes start, kernels are chosen, networks compiled.
    """

    def __init__(self, every_n_steps: int):
        self.every_n_steps = every_n_steps
        self.images = 0  # trained on so far, over all ranks, resumed parts included
        self.timed_images = 0  # of these, those within `seconds`
        self.seconds = 0.0  # of training, without start-up, validation and checkpoints
        self.startup_seconds = 0.0
        self._clock: float | None = None
        self._shapes: set[tuple[int, ...]] = set()
        self._starting = False
        # At the last reading:
        self._window = (0, 0.0)  # timed images, seconds
        self._before: dict[str, float] = {}  # sums of the train metrics
        self._read_at = 0  # step
        self._extra_metrics: tuple[list[str], Tensor] | None = None
        self._epoch_start = (0, 0, 0.0)  # step, images, seconds

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of a run that begins, perhaps resumed in the middle of an epoch."""
        assert isinstance(pl_module, ImageClassifier)
        if not self._before:
            self._before, self._read_at = pl_module.train_metrics.export(), trainer.global_step
            self._epoch_start = (trainer.global_step, self.timed_images, self.seconds)
        self._clock = time.perf_counter()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._epoch_start = (trainer.global_step, self.timed_images, self.seconds)
        self._clock = time.perf_counter()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, ImageClassifier)
        self._starting = batch.images.shape not in self._shapes
        if self._starting and self._shapes:
            pl_module.train_metrics.loss_sum.item()  # waits for the steps before
            self.seconds += self._elapsed()
        self._shapes.add(batch.images.shape)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, ImageClassifier)
        images = batch.step_images or len(batch.labels)
        self.images += images
        if self._starting:
            outputs["loss"].item()  # waits for this step
            self.startup_seconds += self._elapsed()
        else:
            self.timed_images += images
        if self.should_log(trainer, trainer.global_step, batch_idx):
            self._read(trainer, pl_module)
        if is_last(trainer, trainer.global_step, batch_idx):
            self.seconds += self._elapsed()
            self._clock = None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Carry unread sums into the next epoch, which starts at 0; log the epoch in one line."""
        assert isinstance(pl_module, ImageClassifier)
        now = pl_module.train_metrics.export()
        self._before = {name: self._before[name] - now[name] for name in now}
        # The module logs its metrics after the callbacks. All ranks take part in computing them.
        train, val = pl_module.train_metrics.compute(), trainer.callback_metrics
        if not trainer.is_global_zero:
            return
        of = f"/{trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
        text = f"epoch {trainer.current_epoch + 1}{of}"
        text += f"  train loss {train['loss']:.4f} acc {train['acc']:.4f}"
        if "val/loss" in val:
            text += f"  val loss {val['val/loss']:.4f} acc {val['val/acc']:.4f}"
        if speed := self.speed(*self._epoch_start[1:]):
            text += f"  {speed:.0f} img/s"
        log.info("%s", text)

    def should_log(self, trainer: Trainer, steps: int, batch_idx: int) -> bool:
        """Whether metrics are read after this batch, with which ``steps`` steps are complete."""
        unread = self._read_at <= self._epoch_start[0]
        window_is_full = steps - self._read_at >= self.every_n_steps
        return window_is_full or (unread and is_last(trainer, steps, batch_idx))

    def log_with_next(self, names: list[str], values: Tensor) -> None:
        """Log ``values`` (N,) with the next reading; they stay on the device until then."""
        self._extra_metrics = (names, values)

    def _elapsed(self) -> float:
        """Seconds of training since the last call."""
        before, self._clock = self._clock, time.perf_counter()
        return 0.0 if before is None else self._clock - before

    def _read(self, trainer: Trainer, pl_module: ImageClassifier) -> None:
        now = pl_module.train_metrics.export()
        self.seconds += self._elapsed()
        window = {key: now[key] - self._before[key] for key in now}
        count = max(window["count"], 1)
        rate = pl_module.learning_rates[trainer.global_step]
        loss, acc = window["loss_sum"] / count, window["correct"] / count
        figures = {"train/loss": loss, "train/acc": acc, "lr": rate}
        pl_module.progress = {"loss": f"{loss:.3f}", "acc": f"{acc:.3f}"}
        speed = self.speed(*self._window)
        if speed is not None:
            figures["images_per_second"] = speed
            pl_module.progress["img/s"] = f"{speed:,.0f}"
        if self._extra_metrics is not None:
            names, values = self._extra_metrics
            figures |= zip(names, values.tolist(), strict=True)
            self._extra_metrics = None
        self._window = (self.timed_images, self.seconds)
        self._before, self._read_at = now, trainer.global_step
        pl_module.learning_rates = {trainer.global_step: rate}
        # Counted from 0, as in the rows that Lightning logs.
        step = trainer.global_step - 1
        for logger in trainer.loggers:
            logger.log_metrics({**figures, "epoch": trainer.current_epoch}, step=step)

    def speed(self, images: int = 0, seconds: float = 0.0) -> float | None:
        """Images per second since earlier totals; ``None`` where no image was timed."""
        timed = self.timed_images - images
        return timed / max(self.seconds - seconds, 1e-9) if timed else None

    @property
    def state_key(self) -> str:
        return "TrainingLog"  # as in version 0.1

    def state_dict(self) -> dict[str, Any]:
        unread = 0.0 if self._clock is None else time.perf_counter() - self._clock
        return {
            "images": self.images,
            "timed_images": self.timed_images,
            "seconds": self.seconds + unread,
            "startup_seconds": self.startup_seconds,
            "window": list(self._window),
            "before": dict(self._before),
            "read_at": self._read_at,
            "epoch_start": list(self._epoch_start),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the counts; of version 0.1, which timed start-up as training, only the totals."""
        self.images, self.seconds = state_dict["images"], state_dict["seconds"]
        self.timed_images = state_dict.get("timed_images", self.images)
        if "startup_seconds" in state_dict:
            self.startup_seconds = state_dict["startup_seconds"]
            self._before, self._read_at = state_dict["before"], state_dict["read_at"]
            self._window = tuple(state_dict["window"])
            self._epoch_start = tuple(state_dict["epoch_start"])


def is_last(trainer: Trainer, steps: int, batch_idx: int) -> bool:
    """Whether this batch, with which ``steps`` steps are complete, is the last of its epoch."""
    return batch_idx + 1 == trainer.num_training_batches or steps == trainer.max_steps
