"""Message of a divergence: what was first not finite, and what to change."""

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from src.errors import RunFailed

CAUSES = ("an image of the batch", "train/loss", "the gradient")
"""What may be the first not to be finite in a step, in the order of a step."""

OF_IMAGES = "look at the data and at augment"
OF_FLOAT16 = "float16 reaches to 65504 only: try trainer.precision=bf16-mixed or 32-true"
OF_STEPS = "try a lower optimizer.lr, trainer.gradient_clip_norm=1 or trainer.precision=32-true"


def diverged(trainer: L.Trainer, what: str, step: int) -> RunFailed:
    """The error of a run in which ``what`` stopped being finite in ``step``, counted from 1."""
    lr = trainer.lightning_module.learning_rates[step]  # type: ignore[index]
    way_out = OF_FLOAT16 if trainer.precision == "16-mixed" else OF_STEPS
    if what.startswith(CAUSES[0]):
        way_out = OF_IMAGES
    return RunFailed(
        f"training diverged: {what} at step {step} (epoch {trainer.current_epoch + 1}, lr {lr:g}, "
        f"precision {trainer.precision}); {way_out}"
    )


def check_weights(trainer: L.Trainer, network: nn.Module) -> None:
    """Refuse to go on with a network that cannot compute any more."""
    tensors = {name: value.detach() for name, value in network.named_parameters()}
    bad = _first_bad(tensors, torch.isfinite)
    if bad is None:
        buffers = dict(network.named_buffers())
        bad = _first_bad(buffers, lambda value: ~torch.isnan(value))
    if bad is not None:
        raise diverged(trainer, f"{bad} is not finite", trainer.global_step)


def _first_bad(tensors: dict[str, Tensor], good: Any) -> str | None:
    """The name of the first tensor that is not good all over; waits for the device once."""
    if not tensors:
        return None
    found = torch.stack([good(value).all() for value in tensors.values()]).tolist()
    return next((name for name, fine in zip(tensors, found, strict=True) if not fine), None)
