"""Error message of a divergence: the first value that is not finite, and what to change."""

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from src.errors import RunFailed

CAUSES = ("an image of the batch", "train/loss", "the gradient")
"""Values that are checked in a step, in the order of their computation."""

IMAGES_HINT = "look at the data and at augment"
FLOAT16_HINT = "float16 reaches to 65504 only: try trainer.precision=bf16-mixed or 32-true"
STEPS_HINT = "try a lower optimizer.lr, trainer.gradient_clip_norm=1 or trainer.precision=32-true"


def diverged(trainer: L.Trainer, what: str, step: int) -> RunFailed:
    """The error of a run in which ``what`` became non-finite in ``step``, counted from 1."""
    lr = trainer.lightning_module.learning_rates[step]  # type: ignore[index]
    hint = FLOAT16_HINT if trainer.precision == "16-mixed" else STEPS_HINT
    if what.startswith(CAUSES[0]):
        hint = IMAGES_HINT
    return RunFailed(
        f"training diverged: {what} at step {step} (epoch {trainer.current_epoch + 1}, lr {lr:g}, "
        f"precision {trainer.precision}); {hint}"
    )


def check_weights(trainer: L.Trainer, network: nn.Module) -> None:
    """Raise :class:`RunFailed` for a parameter that is not finite or a buffer that is NaN.

    Infinite buffers are valid: attention masks have them.
    """
    tensors = {name: value.detach() for name, value in network.named_parameters()}
    bad = _first_bad(tensors, torch.isfinite)
    if bad is None:
        buffers = dict(network.named_buffers())
        bad = _first_bad(buffers, lambda value: ~torch.isnan(value))
    if bad is not None:
        raise diverged(trainer, f"{bad} is not finite", trainer.global_step)


def _first_bad(tensors: dict[str, Tensor], good: Any) -> str | None:
    """Name of the first tensor with a value that is not ``good``; waits for the device once."""
    if not tensors:
        return None
    found = torch.stack([good(value).all() for value in tensors.values()]).tolist()
    return next((name for name, fine in zip(tensors, found, strict=True) if not fine), None)
