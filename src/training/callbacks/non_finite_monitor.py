"""Detection of divergence: the first tensor that is not finite."""

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
    """Ends a run whose images, loss or gradient are not finite, and names the first of them.

    The finding stays on the device and is read with the training metrics, so no step waits for the
    device. Of the gradient, the first layer's is checked, because it is computed last.
    """

    def __init__(self, metrics_logger: MetricsLogger):
        self.metrics_logger = metrics_logger
        self._step = 0
        self._first: Tensor | None = None

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Check the images; bytes are always finite."""
        self._step = trainer.global_step + 1
        if batch.images.is_floating_point():
            self._record_if_not_finite(batch.images, 0)

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer
    ) -> None:
        """Check the gradient, except of float16: its scaler skips steps that overflow."""
        gradients = (weight.grad for weight in pl_module.parameters() if weight.grad is not None)
        first = next(gradients, None)
        if first is not None and trainer.precision != "16-mixed":
            self._record_if_not_finite(first, 2)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Check the loss; where metrics are logged, end the run if anything was not finite."""
        self._record_if_not_finite(outputs["loss"], 1)
        position = (trainer, trainer.global_step, batch_idx)
        if not (self.metrics_logger.should_log(*position) or is_last(*position)):
            return
        assert self._first is not None
        step, cause = divmod(int(self._first), len(CAUSES))
        if step < _NEVER // len(CAUSES):
            raise diverged(trainer, f"{CAUSES[cause]} is not finite", step)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Check the validation loss."""
        loss = trainer.callback_metrics.get("val/loss")
        if loss is not None and not math.isfinite(loss):
            check_weights(trainer, pl_module)
            raise diverged(trainer, f"val/loss is {float(loss)}", trainer.global_step)

    def _record_if_not_finite(self, values: Tensor, cause: int) -> None:
        """Record step and cause if the values are not finite and no earlier ones were."""
        code = self._step * len(CAUSES) + cause
        found = torch.where(values.detach().sum(dtype=torch.float32).isfinite(), _NEVER, code)
        self._first = found if self._first is None else torch.minimum(self._first, found)
