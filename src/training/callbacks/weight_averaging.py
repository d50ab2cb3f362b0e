"""Exponential moving average of the weights, with a warm-up of its decay."""

from collections.abc import Sequence

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class EMAWeightAveraging(WeightAveraging):
    """Averages weights and buffers; validation, checkpoints and the test use the average.

    Update t, from 0, keeps min(decay, (1 + t) / (10 + t)) of the average, as TensorFlow's
    ExponentialMovingAverage and timm's ModelEmaV3: a constant 0.999 would leave 81% of the first
    step's weights in the average of 213 steps. Lightning 2.6's class of this name has no warm-up.
    """

    def __init__(self, decay: float, every_n_steps: int):
        def update(averaged: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor) -> None:
            done = int(updates)
            kept = min(decay, (1 + done) / (10 + done))
            get_ema_multi_avg_fn(kept)(averaged, current, updates)

        super().__init__(multi_avg_fn=update)
        self.every_n_steps = every_n_steps

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """Whether to update after a step, counted from 0; never at the end of an epoch."""
        return step_idx is not None and step_idx % self.every_n_steps == 0
