"""Detect divergence: the step, what was first not finite, what to change."""

import math
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.optim import Optimizer

from src.training.callbacks.metrics_logger import MetricsLogger, is_last
from src.training.divergence import CAUSES, check_weights, diverged

_NEVER = 1 << 62


class NonFiniteMonitor(L.Callback):
    """Ends a run whose images, loss or gradient are not finite, naming the first of them.

    What was first is kept on the device and read when the training metrics are, so no step waits
    for it. The gradient is looked at in the first layer, the last that it reaches.
    """

    def __init__(self, training_log: MetricsLogger):
        """Read when ``training_log`` is going to."""
        self.training_log = training_log
        self._step = 0
        self._first: Tensor | None = None

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Look at the images; bytes are always finite."""
        self._step = trainer.global_step + 1
        if batch.images.is_floating_point():
            self._look_at(batch.images, 0)

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer
    ) -> None:
        """Look at the gradient; float16's overflows now and then, and the step is left out."""
        gradients = (weight.grad for weight in pl_module.parameters() if weight.grad is not None)
        first = next(gradients, None)
        if first is not None and trainer.precision != "16-mixed":
            self._look_at(first, 2)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Look at the loss; read what has been found when it is time."""
        self._look_at(outputs["loss"], 1)
        moment = (trainer, trainer.global_step, batch_idx)
        if not (self.training_log.is_due(*moment) or is_last(*moment)):
            return
        assert self._first is not None
        step, cause = divmod(int(self._first), len(CAUSES))
        if step < _NEVER // len(CAUSES):
            raise diverged(trainer, f"{CAUSES[cause]} is not finite", step)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Look at the validation loss."""
        loss = trainer.callback_metrics.get("val/loss")
        if loss is not None and not math.isfinite(loss):
            check_weights(trainer, pl_module)
            raise diverged(trainer, f"val/loss is {float(loss)}", trainer.global_step)

    def _look_at(self, values: Tensor, cause: int) -> None:
        """Remember this step and cause if the values are not finite and nothing was before."""
        code = self._step * len(CAUSES) + cause
        found = torch.where(values.detach().sum(dtype=torch.float32).isfinite(), _NEVER, code)
        self._first = found if self._first is None else torch.minimum(self._first, found)
