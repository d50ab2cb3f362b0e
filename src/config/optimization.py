"""Settings of optimizers and learning-rate schedules, one dataclass an option."""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval
from pydantic.dataclasses import dataclass

from src.config.fields import LENIENT, STRICT, Flag, Float, Int

DecayOn = Literal["all", "weights", "convolutions"]


@dataclass(config=STRICT, kw_only=True)
class SGDConfig:
    """Stochastic gradient descent with (Nesterov) momentum."""

    name: str
    lr: Annotated[Float, Gt(0)]
    momentum: Annotated[Float, Interval(ge=0, lt=1)]
    nesterov: bool
    weight_decay: Annotated[Float, Ge(0)]
    decay_on: DecayOn
    bias_lr_factor: Annotated[Float, Gt(0)]


@dataclass(config=STRICT, kw_only=True)
class AdamConfig:
    """Adam; the decay is an L2 term in the gradient."""

    name: str
    lr: Annotated[Float, Gt(0)]
    betas: list[Annotated[Float, Interval(ge=0, lt=1)]]
    eps: Annotated[Float, Gt(0)]
    weight_decay: Annotated[Float, Ge(0)]
    decay_on: DecayOn


@dataclass(config=STRICT, kw_only=True)
class AdamWConfig(AdamConfig):
    """Adam with decoupled weight decay."""


@dataclass(config=STRICT, kw_only=True)
class MuonConfig:
    """Muon for convolutions and matrices; ``rest`` trains norms, biases and the classifier."""

    name: str
    lr: Annotated[Float, Gt(0)]
    momentum: Annotated[Float, Interval(ge=0, lt=1)]
    nesterov: bool
    weight_decay: Annotated[Float, Ge(0)]
    decay_on: DecayOn
    ns_steps: Annotated[Int, Interval(ge=1, le=99)]
    adjust_lr_fn: Literal["original", "match_rms_adamw"]
    rest: Literal["sgd", "adamw"]
    rest_lr: Annotated[Float, Gt(0)]
    rest_momentum: Annotated[Float, Interval(ge=0, lt=1)]
    bias_lr_factor: Annotated[Float, Gt(0)]


@dataclass(config=LENIENT, kw_only=True)
class CustomOptimizerConfig:
    """Settings of this project for an optimizer named by ``_target_``; others go to its class."""

    weight_decay: Annotated[Float, Ge(0)] | None = None
    decay_on: DecayOn = "all"


@dataclass(config=STRICT, kw_only=True)
class WarmupConfig:
    """Linear warm-up in front of any schedule."""

    name: str
    warmup_epochs: Annotated[Float, Ge(0)]
    warmup_start: Annotated[Float, Interval(ge=0, le=1)]


@dataclass(config=STRICT, kw_only=True)
class StepConfig(WarmupConfig):
    """Multiply by ``gamma`` every ``step_size`` epochs or steps."""

    step_size: Annotated[Float, Gt(0)]
    gamma: Annotated[Float, Interval(gt=0, le=1)]
    unit: Literal["epoch", "step"]


@dataclass(config=STRICT, kw_only=True)
class MultiStepConfig(WarmupConfig):
    """Multiply by ``gamma`` at each milestone."""

    milestones: list[Annotated[Float, Gt(0)]]
    gamma: Annotated[Float, Interval(gt=0, le=1)]
    unit: Literal["epoch", "step"]


@dataclass(config=STRICT, kw_only=True)
class CosineConfig(WarmupConfig):
    """Half a cosine from 1 to ``final``."""

    final: Annotated[Float, Interval(ge=0, le=1)]
    total_epochs: Annotated[Annotated[Float, Gt(0)] | None, Flag.CHANGEABLE] = None


@dataclass(config=STRICT, kw_only=True)
class OneCycleConfig(WarmupConfig):
    """Up from ``start`` to 1 over the fraction ``peak`` of the steps, then down to ``final``."""

    peak: Annotated[Float, Interval(gt=0, lt=1)]
    start: Annotated[Float, Interval(ge=0, le=1)]
    final: Annotated[Float, Interval(ge=0, le=1)]
    anneal: Literal["cos", "linear"]
    total_epochs: Annotated[Annotated[Float, Gt(0)] | None, Flag.CHANGEABLE] = None


OPTIMIZERS: dict[str, type] = {
    "sgd": SGDConfig,
    "adam": AdamConfig,
    "adamw": AdamWConfig,
    "muon": MuonConfig,
}
SCHEDULERS: dict[str, type] = {
    "constant": WarmupConfig,
    "step": StepConfig,
    "multistep": MultiStepConfig,
    "cosine": CosineConfig,
    "onecycle": OneCycleConfig,
}
