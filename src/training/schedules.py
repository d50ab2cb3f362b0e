"""Learning-rate schedules: factors of the learning rate, as functions of the step, from 0.

A step is one update of the weights; with gradient accumulation it takes several batches.
"""

import logging
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from src.config.optimization import (
    CosineConfig,
    MultiStepConfig,
    OneCycleConfig,
    StepConfig,
    WarmupConfig,
)
from src.errors import UserError

log = logging.getLogger(__name__)

Factor = Callable[[int], float]


class RunLength(NamedTuple):
    """Length of a run, in optimizer steps."""

    total_steps: int
    steps_per_epoch: int
    warmup_steps: int

    def schedule_steps(self, total_epochs: float | None) -> int:
        """Steps of a schedule after the warm-up; None takes the length of the run."""
        epochs = self.total_steps / self.steps_per_epoch if total_epochs is None else total_epochs
        return round(epochs * self.steps_per_epoch) - self.warmup_steps

    def steps(self, option: str, length: float, unit: str) -> int:
        """Convert a length in epochs or steps to whole steps; warn if the run ends before."""
        steps = round(length * (self.steps_per_epoch if unit == "epoch" else 1))
        if steps >= self.total_steps:
            log.warning(
                "scheduler.%s: %s %g is never reached: the run ends after %g epochs, %d steps",
                *(option, unit, length, self.total_steps / self.steps_per_epoch, self.total_steps),
            )
        return steps


def constant(run: RunLength, settings: WarmupConfig) -> Factor:
    """Constant learning rate."""
    return lambda step: 1.0


def step(run: RunLength, settings: StepConfig) -> Factor:
    """Multiply by ``gamma`` every ``step_size`` epochs or steps."""
    period = max(1, run.steps("step_size", settings.step_size, settings.unit))
    return lambda step: settings.gamma ** (step // period)


def multistep(run: RunLength, settings: MultiStepConfig) -> Factor:
    """Multiply by ``gamma`` at each milestone, in epochs or steps from the start of the run."""
    unit = settings.unit
    passed = [run.steps("milestones", milestone, unit) for milestone in settings.milestones]
    return lambda step: settings.gamma ** sum(step >= milestone for milestone in passed)


def cosine(run: RunLength, settings: CosineConfig) -> Factor:
    """Fall along half a cosine from 1, after the warm-up, to ``final`` after the last step.

    Loshchilov and Hutter, "SGDR", equation 5 (arXiv:1608.03983), without restarts. ``final`` comes
    after the last update, for which a rate of 0 would be wasted, and holds after ``total_epochs``.
    """
    length = max(1, run.schedule_steps(settings.total_epochs))
    return lambda step: _anneal("cos", 1.0, settings.final, (step - run.warmup_steps) / length)


def onecycle(run: RunLength, settings: OneCycleConfig) -> Factor:
    """Rise from ``start`` to 1 over the fraction ``peak`` of the steps, then fall to ``final``.

    Smith and Topin, "Super-Convergence" (arXiv:1708.07120), with the steps of torch's OneCycleLR:
    the last update has the factor ``final``. A warm-up precedes the cycle and ends at ``start``.
    """
    last = run.schedule_steps(settings.total_epochs) - 1
    top = max(0.0, settings.peak * (last + 1) - 1)

    def cycle(step: int) -> float:
        position = max(0, step - run.warmup_steps)
        if position < top:
            return _anneal(settings.anneal, settings.start, 1.0, position / top)
        progress = (position - top) / max(last - top, 1e-9)
        return _anneal(settings.anneal, 1.0, settings.final, progress)

    return cycle


def _anneal(shape: str, start: float, end: float, progress: float) -> float:
    """Interpolate from ``start`` to ``end`` for ``progress`` 0..1, constant outside of it."""
    progress = min(1.0, max(0.0, progress))
    if shape == "cos":
        progress = (1 - math.cos(math.pi * progress)) / 2
    return start + (end - start) * progress


SCHEDULES: dict[str, Callable[[RunLength, Any], Factor]] = {
    schedule.__name__: schedule for schedule in (constant, step, multistep, cosine, onecycle)
}


def build_factor(settings: WarmupConfig, total_steps: int, steps_per_epoch: int) -> Factor:
    """Build the factor of a schedule, whose ``total_steps`` include a linear warm-up."""
    warmup_steps = round(settings.warmup_epochs * steps_per_epoch)
    if warmup_steps > total_steps:
        raise UserError(
            f"scheduler.warmup_epochs={settings.warmup_epochs:g}: longer than the run of "
            f"{total_steps / steps_per_epoch:g} epochs"
        )
    run = RunLength(total_steps, steps_per_epoch, warmup_steps)
    base = SCHEDULES[settings.name](run, settings)

    def warmed(step: int) -> float:
        if step >= warmup_steps:
            return base(step)
        return base(step) * _anneal("linear", settings.warmup_start, 1.0, step / warmup_steps)

    return warmed


class FactorSchedule(LambdaLR):
    """Scales the learning rates by the factor of the step; stepped after each optimizer step."""

    def __init__(
        self, settings: WarmupConfig, optimizer: Optimizer, total_steps: int, steps_per_epoch: int
    ):
        # The length of the schedule; it is in the state of checkpoints.
        self.epochs = getattr(settings, "total_epochs", None) or total_steps / steps_per_epoch
        super().__init__(optimizer, build_factor(settings, total_steps, steps_per_epoch))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue at the state's step by this schedule, also where the state's had another length.

        torch 2.15 would make the next step at the earlier schedule's rate.
        """
        super().load_state_dict(state_dict | {"epochs": self.epochs})
        groups = self.optimizer.param_groups
        old = groups[0]["lr"]
        for group, base, factor in zip(groups, self.base_lrs, self.lr_lambdas, strict=True):
            group["lr"] = base * factor(self.last_epoch)
        self._last_lr = [group["lr"] for group in groups]
        if groups[0]["lr"] != old:
            keep = f"{state_dict['epochs']:g}" if "epochs" in state_dict else "<epochs>"
            log.info(
                "the learning rate of step %d is %g by a schedule of %g epochs, no longer %g; "
                "scheduler.total_epochs=%s keeps the schedule as it was",
                *(self.last_epoch + 1, groups[0]["lr"], self.epochs, old, keep),
            )
