"""Settings of optimizers and learning-rate schedules, a dataclass for each option."""

from dataclasses import dataclass

from src.config.fields import choice, number

DECAY_ON = ("all", "weights", "convolutions")


@dataclass
class SGDConfig:
    """Stochastic gradient descent with (Nesterov) momentum."""

    name: str = "sgd"
    lr: float = number(0.1, gt=0)
    momentum: float = number(0.9, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = number(5e-4, ge=0)
    decay_on: str = choice("all", *DECAY_ON)
    bias_lr_factor: float = number(1.0, gt=0)


@dataclass
class AdamConfig:
    """Adam; the decay is an L2 term in the gradient."""

    name: str = "adam"
    lr: float = number(1e-3, gt=0)
    betas: list[float] = number([0.9, 0.999], ge=0, lt=1)
    eps: float = number(1e-8, gt=0)
    weight_decay: float = number(0.0, ge=0)
    decay_on: str = choice("all", *DECAY_ON)


@dataclass
class AdamWConfig(AdamConfig):
    """Adam with decoupled weight decay."""

    name: str = "adamw"
    weight_decay: float = number(0.05, ge=0)
    decay_on: str = choice("weights", *DECAY_ON)


@dataclass
class MuonConfig:
    """Muon for convolutions and matrices; ``rest`` trains norms, biases and the classifier."""

    name: str = "muon"
    lr: float = number(0.02, gt=0)
    momentum: float = number(0.95, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = number(5e-4, ge=0)
    decay_on: str = choice("weights", *DECAY_ON)
    ns_steps: int = number(5, ge=1, le=99)
    adjust_lr_fn: str = choice("original", "original", "match_rms_adamw")
    rest: str = choice("sgd", "sgd", "adamw")
    rest_lr: float = number(0.1, gt=0)
    rest_momentum: float = number(0.9, ge=0, lt=1)
    bias_lr_factor: float = number(1.0, gt=0)


@dataclass
class WarmupConfig:
    """Linear warm-up in front of any schedule."""

    name: str = "constant"
    warmup_epochs: float = number(0.0, ge=0)
    warmup_start: float = number(0.0, ge=0, le=1)


@dataclass
class StepConfig(WarmupConfig):
    """Multiply by ``gamma`` every ``step_size`` epochs or steps."""

    name: str = "step"
    step_size: float = number(10, gt=0)
    gamma: float = number(0.1, gt=0, le=1)
    unit: str = choice("epoch", "epoch", "step")


@dataclass
class MultiStepConfig(WarmupConfig):
    """Multiply by ``gamma`` at each milestone."""

    name: str = "multistep"
    milestones: list[float] = number([15, 23], gt=0)
    gamma: float = number(0.1, gt=0, le=1)
    unit: str = choice("epoch", "epoch", "step")


@dataclass
class CosineConfig(WarmupConfig):
    """Half a cosine from 1 to ``final``."""

    name: str = "cosine"
    final: float = number(0.0, ge=0, le=1)
    total_epochs: float | None = number(None, gt=0)


@dataclass
class OneCycleConfig(WarmupConfig):
    """Up from ``start`` to 1 over the fraction ``peak`` of the steps, then down to ``final``."""

    name: str = "onecycle"
    peak: float = number(0.2, gt=0, lt=1)
    start: float = number(0.04, ge=0, le=1)
    final: float = number(1e-4, ge=0, le=1)
    anneal: str = choice("linear", "cos", "linear")
    total_epochs: float | None = number(None, gt=0)


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
