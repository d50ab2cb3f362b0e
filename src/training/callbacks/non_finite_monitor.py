"""Detection of divergence: the first tensor that is not finite, and what to change."""

import math
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from src.errors import RunFailed
from src.training.callbacks.metrics_logger import MetricsLogger, is_last

# What is checked in a step, in the order of computation.
CAUSES = ("an image of the batch", "train/loss", "the gradient")
_NEVER = 1 << 62


class NonFiniteMonitor(Callback):
    """Ends a run whose images, loss, gradient or weights are not finite, and names the first.

    The finding stays on the device and is read with the training metrics, so no step waits for the
    device. Of the gradient, the first layer's is checked, because it is computed last.
    """

    def __init__(self, metrics_logger: MetricsLogger):
        self.metrics_logger = metrics_logger
        self._step = 0
        self._first: Tensor | None = None

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._step = trainer.global_step + 1
        if batch.images.is_floating_point():
            self._record_if_not_finite(batch.images, 0)

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Check the gradient, except of float16: its scaler skips steps that overflow."""
        gradients = (weight.grad for weight in pl_module.parameters() if weight.grad is not None)
        first = next(gradients, None)
        if first is not None and trainer.precision != "16-mixed":
            self._record_if_not_finite(first, 2)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the loss; where metrics are logged, end the run if anything was not finite."""
        self._record_if_not_finite(outputs["loss"], 1)
        position = (trainer, trainer.global_step, batch_idx)
        if not (self.metrics_logger.should_log(*position) or is_last(*position)):
            return
        assert self._first is not None
        step, cause = divmod(int(self._first), len(CAUSES))
        if step < _NEVER // len(CAUSES):
            raise _diverged(trainer, f"{CAUSES[cause]} is not finite", step)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loss = trainer.callback_metrics.get("val/loss")
        if loss is not None and not math.isfinite(loss):
            _check_weights(trainer, pl_module)
            raise _diverged(trainer, f"val/loss is {float(loss)}", trainer.global_step)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        _check_weights(trainer, pl_module)

    def _record_if_not_finite(self, values: Tensor, cause: int) -> None:
        code = self._step * len(CAUSES) + cause
        found = torch.where(values.detach().sum(dtype=torch.float32).isfinite(), _NEVER, code)
        self._first = found if self._first is None else torch.minimum(self._first, found)


def _check_weights(trainer: Trainer, module: LightningModule) -> None:
    """Raise for a parameter that is not finite or a NaN buffer; attention masks are infinite."""
    fine = {name: value.detach().isfinite().all() for name, value in module.named_parameters()}
    fine |= {name: ~value.isnan().any() for name, value in module.named_buffers()}
    # Read together, because each reading waits for the device.
    for name, is_fine in zip(fine, torch.stack(list(fine.values())).tolist(), strict=True):
        if not is_fine:
            raise _diverged(trainer, f"{name} is not finite", trainer.global_step)


def _diverged(trainer: Trainer, what: str, step: int) -> RunFailed:
    lr = trainer.lightning_module.learning_rates[step]  # type: ignore[index]
    if what.startswith(CAUSES[0]):
        hint = "look at the data and at augment"
    elif trainer.precision == "16-mixed":
        hint = "float16 reaches to 65504 only: try trainer.precision=bf16-mixed or 32-true"
    else:
        hint = "try a lower optimizer.lr, trainer.gradient_clip_norm=1 or trainer.precision=32-true"
    return RunFailed(
        f"training diverged: {what} at step {step} (epoch {trainer.current_epoch + 1}, lr {lr:g}, "
        f"precision {trainer.precision}); {hint}"
    )
