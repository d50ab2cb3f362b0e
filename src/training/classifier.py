"""LightningModule of image classification: network, loss, metrics."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from src.training.metrics import LossAndAccuracy

ScheduleFactory = Callable[[Optimizer, int, int], LRScheduler]
"""``(optimizer, total_steps, steps_per_epoch) -> schedule``, stepped once an optimizer step."""


class Normalize(nn.Module):
    """Normalization: ``(x / 255 - mean) / std`` by channel of uint8 or float images, as float32.

    The first layer of the network, so that training, evaluation, prediction and export cannot
    differ in it.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return (images.float() / 255 - self.mean) / self.std


class ImageClassifier(LightningModule):
    """Trains a backbone to classify images.

    A batch is a :class:`src.data.dataset.Batch`: uint8 or float images (N, C, H, W) in 0..255,
    int64 labels (N,), and, when images were mixed, float targets (N, classes).
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        optimizer: Callable[[nn.Module], Optimizer],
        schedule: ScheduleFactory,
        loss: nn.Module | None = None,
        channels_last: bool = True,
    ):
        """Wrap ``backbone``, which maps normalized float images to logits (N, classes).

        Args:
            mean: fractions of 255, one per channel; so is ``std``.
            loss: ``(logits, labels or targets) -> scalar``, in training; else it is cross-entropy.
            channels_last: faster, with the same result within rounding.
        """
        super().__init__()
        layers = [("normalize", Normalize(mean, std)), ("backbone", backbone)]
        self.network = nn.Sequential(OrderedDict(layers))
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network.to(memory_format=self.memory_format)
        self.loss = loss or nn.CrossEntropyLoss()
        self.optimizer_factory = optimizer
        self.schedule_factory = schedule
        self.train_metrics = LossAndAccuracy()
        self.val_metrics = LossAndAccuracy()
        self.test_metrics = LossAndAccuracy()
        self.progress: dict[str, str] = {}  # for the progress bar, set by MetricsLogger
        self.learning_rates: dict[int, float] = {}  # of the first group by step, from 1

    def forward(self, images: Tensor) -> Tensor:
        # Convolutions keep the memory format of their input.
        return self.network(images.contiguous(memory_format=self.memory_format))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        logits = self(batch.images).float()
        loss = self.loss(logits, batch.labels if batch.targets is None else batch.targets)
        if batch.weight:
            self.train_metrics.update(loss.detach(), logits.detach(), batch.labels, batch.targets)
        # Averages of gradients over ranks and accumulated batches assume equal numbers of images.
        return loss if batch.weight == 1 else loss * batch.weight

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Record the learning rate, which the schedule changes before the step's callbacks."""
        self.learning_rates[self.trainer.global_step + 1] = float(optimizer.param_groups[0]["lr"])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._measure(self.val_metrics, batch)

    def test_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self._measure(self.test_metrics, batch)

    def _measure(self, metrics: LossAndAccuracy, batch: Any) -> Tensor:
        """Measure a batch; return its logits, float32 (N, classes)."""
        logits = self(batch.images).float()
        if batch.weight:
            metrics.update(F.cross_entropy(logits, batch.labels), logits, batch.labels)
        return logits

    def on_train_epoch_end(self) -> None:
        """Log the epoch's ``train/loss`` and ``train/acc``, measured while the weights changed."""
        for name, value in self.train_metrics.compute().items():
            # Logged as train/*_epoch, since train/* are the values of MetricsLogger.
            self.log(f"train/{name}", value, logger=False)
            self.log(f"train/{name}_epoch", value)
        self.train_metrics.reset()

    def on_validation_epoch_end(self) -> None:
        self._log_stage("val", self.val_metrics)

    def on_test_epoch_end(self) -> None:
        self._log_stage("test", self.test_metrics)

    def _log_stage(self, stage: str, metrics: LossAndAccuracy) -> None:
        self.log_dict({f"{stage}/{name}": value for name, value in metrics.compute().items()})
        metrics.reset()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self.optimizer_factory(self.network)
        trainer = self.trainer
        # With max_steps alone Lightning 2.6 does not know the length of an epoch yet.
        trainer.fit_loop.setup_data()
        total = int(trainer.estimated_stepping_batches)
        schedule = self.schedule_factory(optimizer, total, steps_per_epoch(trainer))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the sums of an unfinished epoch."""
        checkpoint["train_metrics"] = self.train_metrics.export()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.train_metrics.restore(checkpoint["train_metrics"])


def steps_per_epoch(trainer: Trainer) -> int:
    """Optimizer steps of an epoch; the last one may accumulate fewer batches."""
    return -(-int(trainer.num_training_batches) // trainer.accumulate_grad_batches)
