"""Log training metrics every n steps without waiting for the device; print a line an epoch."""

import logging
import time
from typing import Any

import lightning as L
from torch import Tensor

from src.training.classifier import ImageClassifier


class MetricsLogger(L.Callback):
    """Logs ``train/loss``, ``train/acc``, ``lr`` and ``images_per_second`` every ``n`` steps.

    The figures are means over the steps since the last reading, also where an epoch ends between
    the two: a mean over the few images of a remainder would stand out from the others. An epoch of
    fewer than ``n`` steps is read at its end. ``lr`` is the rate of the step that was just made.
    Reading is the only time a training step waits for the device, but for the first of each shape
    of batch.

    Attributes:
        images: trained on so far, over all ranks, resumed parts included.
        timed_images: those of them that ``seconds`` is about.
        seconds: spent training so far, without start-up, validation and checkpoints.
        startup_seconds: spent until the end of the first step, and in later first steps with a
            batch of another shape: there loader processes start, kernels are chosen and networks
            compiled.
    """

    def __init__(self, every_n_steps: int):
        """Read every ``every_n_steps`` optimizer steps."""
        self.every_n_steps = every_n_steps
        self.images = 0
        self.timed_images = 0
        self.seconds = 0.0
        self.startup_seconds = 0.0
        self._clock: float | None = None
        self._shapes: set[tuple[int, ...]] = set()
        self._starting = False
        # Since the last reading: images, seconds; sums; step.
        self._window = (0, 0.0)
        self._before: dict[str, float] = {}
        self._read_at = 0
        self._further: tuple[list[str], Tensor] | None = None
        self._epoch_start = (0, 0, 0.0)  # step, images, seconds

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock also where a resumed run begins in the middle of an epoch."""
        assert isinstance(pl_module, ImageClassifier)
        if not self._before:
            self._before, self._read_at = pl_module.train_metrics.export(), trainer.global_step
            self._epoch_start = (trainer.global_step, self.timed_images, self.seconds)
        self._clock = time.perf_counter()

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self._epoch_start = (trainer.global_step, self.timed_images, self.seconds)
        self._clock = time.perf_counter()

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Notice a batch of a shape that the network has not seen yet."""
        assert isinstance(pl_module, ImageClassifier)
        self._starting = batch.images.shape not in self._shapes
        if self._starting and self._shapes:
            pl_module.train_metrics.loss_sum.item()  # waits for the steps before
            self.seconds += self._elapsed()
        self._shapes.add(batch.images.shape)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count the batch; read the metrics when it is time."""
        images = batch.step_images or len(batch.labels)
        self.images += images
        if self._starting:
            outputs["loss"].item()  # waits for this step
            self.startup_seconds += self._elapsed()
        else:
            self.timed_images += images
        if self.is_due(trainer, trainer.global_step, batch_idx):
            self._read(trainer, pl_module)
        if is_last(trainer, trainer.global_step, batch_idx):
            self.seconds += self._elapsed()
            self._clock = None

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take what has not been read into the next epoch, whose sums begin at 0."""
        assert isinstance(pl_module, ImageClassifier)
        now = pl_module.train_metrics.export()
        self._before = {name: self._before[name] - now[name] for name in now}

    def is_due(self, trainer: L.Trainer, steps: int, batch_idx: int) -> bool:
        """Whether the metrics are read after a batch with which ``steps`` steps are done."""
        unread = self._read_at <= self._epoch_start[0]
        window_is_full = steps - self._read_at >= self.every_n_steps
        return window_is_full or (unread and is_last(trainer, steps, batch_idx))

    def read_along(self, names: list[str], values: Tensor) -> None:
        """Log further figures with the next reading: ``values`` (N,), still on the device."""
        self._further = (names, values)

    def _elapsed(self) -> float:
        """Seconds of training since this was last asked."""
        before, self._clock = self._clock, time.perf_counter()
        return 0.0 if before is None else self._clock - before

    def _read(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, ImageClassifier)
        now = pl_module.train_metrics.export()
        self.seconds += self._elapsed()
        window = {key: now[key] - self._before[key] for key in now}
        count = max(window["count"], 1)
        rate = pl_module.learning_rates[trainer.global_step]
        figures = {
            "train/loss": window["loss_sum"] / count,
            "train/acc": window["correct"] / count,
            "lr": rate,
        }
        progress = {
            "loss": f"{figures['train/loss']:.3f}",
            "acc": f"{figures['train/acc']:.3f}",
        }
        speed = self._speed(*self._window)
        if speed is not None:
            figures["images_per_second"] = speed
            progress["img/s"] = f"{speed:,.0f}"
        if self._further is not None:
            names, values = self._further
            figures |= zip(names, values.tolist(), strict=True)
            self._further = None
        self._window = (self.timed_images, self.seconds)
        self._before, self._read_at = now, trainer.global_step
        pl_module.learning_rates = {trainer.global_step: rate}
        pl_module.progress = progress
        # Counted from 0 as Lightning does, so that all rows of a step carry the same number.
        step = trainer.global_step - 1
        for logger in trainer.loggers:
            logger.log_metrics({**figures, "epoch": trainer.current_epoch}, step=step)

    def _speed(self, images: int, seconds: float) -> float | None:
        """Images a second since so many images and seconds; ``None`` where none was timed."""
        timed = self.timed_images - images
        return timed / max(self.seconds - seconds, 1e-9) if timed else None

    def epoch_speed(self) -> float | None:
        """Images a second in this epoch so far."""
        return self._speed(*self._epoch_start[1:])

    def run_speed(self) -> float | None:
        """Images a second in the whole run."""
        return self._speed(0, 0.0)

    @property
    def state_key(self) -> str:
        """The name that its state has in checkpoints, those of version 0.1 among them."""
        return "TrainingLog"

    def state_dict(self) -> dict[str, Any]:
        """Totals and what has been counted since the last reading, for a resumed run."""
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
        """Take them up; of a run of version 0.1, which timed start-up as training, the totals."""
        self.images, self.seconds = state_dict["images"], state_dict["seconds"]
        self.timed_images = state_dict.get("timed_images", self.images)
        if "startup_seconds" in state_dict:
            self.startup_seconds = state_dict["startup_seconds"]
            self._before, self._read_at = state_dict["before"], state_dict["read_at"]
            self._window = tuple(state_dict["window"])
            self._epoch_start = tuple(state_dict["epoch_start"])


def is_last(trainer: L.Trainer, steps: int, batch_idx: int) -> bool:
    """Whether an epoch ends with a batch, with which ``steps`` steps are done."""
    return batch_idx + 1 == trainer.num_training_batches or steps == trainer.max_steps


log = logging.getLogger(__name__)


class EpochSummaryLogger(L.Callback):
    """Logs an epoch's losses, accuracies and speed, so that a log file tells the story."""

    def __init__(self, training_log: MetricsLogger):
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
