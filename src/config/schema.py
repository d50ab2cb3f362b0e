"""Settings of every group of ``conf/``: types, ranges, names.

Defaults live in ``conf/``; the ones here only say what a key may be left out as. A field's
bounds are part of it (:mod:`src.config.fields`); what several fields must agree on is in
:mod:`src.config.validate`.
"""

from dataclasses import dataclass, field
from typing import Any

from src.config.fields import choice, number

METRICS = ("val/acc", "val/loss", "train/acc", "train/loss")
"""What a checkpoint, early stopping or a search may watch. Test metrics are for the end."""


@dataclass
class ResNetConfig:
    """A row of the family table and the options that vary it; ``null`` is the row's own."""

    _target_: str = "src.models.build_model"
    name: str = "resnet18"
    num_classes: int | None = number(None, ge=2)
    in_channels: int | None = number(None, ge=1)
    stem: str | None = choice(None, "cifar", "imagenet")
    shortcut: str | None = choice(None, "A", "B", "C", "none")
    conv_bias: bool = False
    zero_init_residual: bool = False
    dropout: float = number(0.0, ge=0, lt=1)
    norm_momentum: float = number(0.1, gt=0, le=1)


@dataclass
class DataConfig:
    """Where the images are, how they are split, and how they are fed."""

    name: str = choice("cifar10", "cifar10", "cifar100", "fashion_mnist", "shapes", "folder")
    root: str | None = None
    download: bool = True
    labels: str = choice("fine", "fine", "coarse")
    num_classes: int | None = number(None, ge=2)
    channels: int | None = number(None, ge=1, le=3)
    image_size: int | None = number(None, ge=4, le=4096)
    mean: list[float] | None = number(None, ge=0, le=1)
    std: list[float] | None = number(None, gt=0, le=1)
    validate_on: str = choice("validation", "validation", "test")
    val_fraction: float = number(0.1, gt=0, lt=1)
    split_seed: int = number(0, ge=0, le=2**32 - 1)
    batch_size: int = number(128, ge=1)
    eval_batch_size: int = number(512, ge=1)
    drop_last: bool = False
    num_workers: int = number(0, ge=0, le=256)
    resident: str = choice("auto", "auto", "always", "never")
    on_bad_image: str = choice("error", "error", "skip")
    exclude: list[str] = field(default_factory=list)
    cache_dir: str | None = None


@dataclass
class AugmentConfig:
    """What is done to a training image; all off is the identity."""

    crop_padding: int = number(0, ge=0)
    crop_mode: str = choice("zeros", "zeros", "reflect")
    flip: str = choice("none", "none", "random", "alternating")
    cutout: int = number(0, ge=0)
    erase_probability: float = number(0.0, ge=0, le=1)
    erase_fill: str = choice("noise", "noise", "mean", "zero")
    mixup: float = number(0.0, ge=0)
    cutmix: float = number(0.0, ge=0)
    mix_probability: float = number(1.0, ge=0, le=1)


@dataclass
class TrainerConfig:
    """Where, how long and in what arithmetic to train."""

    accelerator: str = choice("auto", "auto", "gpu", "cpu")
    devices: int = number(1, ge=1)
    num_nodes: int = number(1, ge=1)
    sync_batchnorm: bool = False
    max_epochs: int | None = number(None, ge=1)
    max_steps: int | None = number(None, ge=1)
    precision: str = choice("auto", "auto", "32-true", "bf16-mixed", "16-mixed")
    accumulate_grad_batches: int = number(1, ge=1)
    gradient_clip_norm: float | None = number(None, gt=0)
    channels_last: bool = True
    compile: bool = False
    compile_mode: str = choice(
        "default", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"
    )
    deterministic: bool = False
    num_threads: int | None = number(None, ge=1)
    check_val_every_n_epoch: int = number(1, ge=1)
    log_every_n_steps: int = number(20, ge=1)
    limit_train_batches: int | None = number(None, ge=1)
    limit_val_batches: int | None = number(None, ge=1)
    limit_test_batches: int | None = number(None, ge=1)


@dataclass
class EarlyStoppingConfig:
    """Stop when the monitored metric has not improved for ``patience`` validations."""

    enabled: bool = False
    patience: int = number(10, ge=1)
    min_delta: float = number(0.0, ge=0)


@dataclass
class EMAConfig:
    """Validate, test and save an exponential moving average of the weights."""

    enabled: bool = False
    decay: float = number(0.999, gt=0, lt=1)
    every_n_steps: int = number(1, ge=1)


@dataclass
class CallbacksConfig:
    """What happens around the training loop."""

    monitor: str = choice("val/acc", *METRICS)
    checkpoint: bool = True
    checkpoint_every_n_epochs: int = number(1, ge=1)
    early_stopping: EarlyStoppingConfig = field(default_factory=EarlyStoppingConfig)
    ema: EMAConfig = field(default_factory=EMAConfig)
    progress_bar: bool = True
    model_summary: bool = True


@dataclass
class LoggerConfig:
    """Where the metrics go; ``metrics.csv`` and ``metrics.json`` are always written."""

    tensorboard: bool = True


CONTENDERS = ("ours", "bare", "plain")


@dataclass
class BenchmarkConfig:
    """What ``python -m src.benchmark`` measures, and for how long."""

    mode: str = choice("training", "training", "input", "startup", "operations", "alone")
    contenders: list[str] = choice(list(CONTENDERS), *CONTENDERS)
    rounds: int = number(5, ge=1, le=1000)
    seconds: float = number(5.0, gt=0, le=3600)


Options = dict[str, Any]
"""Free-form settings of somebody else's class; ``_target_`` names it."""

FLAT_GROUPS: dict[str, type] = {
    "data": DataConfig,
    "augment": AugmentConfig,
    "trainer": TrainerConfig,
    "callbacks": CallbacksConfig,
    "logger": LoggerConfig,
}


@dataclass
class RunSettings:
    """The keys that stand at the top of the config, outside any group."""

    seed: int = number(0, ge=0, le=2**32 - 1)
    label_smoothing: float = number(0.0, ge=0, lt=1)
    test_checkpoint: str = choice("best", "best", "last", "none")
    objective: str = choice("val/acc", *METRICS)
    resume: str | None = None
    sweep: str | None = None


@dataclass
class TrainConfig:
    """A checked configuration, as the commands receive it.

    ``benchmark`` is there for ``python -m src.benchmark`` alone.
    """

    run: RunSettings
    model: ResNetConfig | Options
    data: DataConfig
    augment: AugmentConfig
    optimizer: Any
    scheduler: Any
    trainer: TrainerConfig
    callbacks: CallbacksConfig
    logger: LoggerConfig
    benchmark: BenchmarkConfig | None = None

    @property
    def benchmark_settings(self) -> BenchmarkConfig:
        """The settings of the benchmark that this is the configuration of."""
        assert self.benchmark is not None
        return self.benchmark


@dataclass
class RunChoice:
    """Which trained network is meant."""

    run: str | None = None
    ckpt: str | None = None
    checkpoint: str = choice("best", "best", "last")
    trust: list[str] = field(default_factory=list)


@dataclass
class InferenceConfig(RunChoice):
    """Where and how it computes."""

    accelerator: str = choice("auto", "auto", "gpu", "cpu")
    precision: str = choice("run", "run", "32-true", "bf16-mixed", "16-mixed")
    batch_size: int = number(512, ge=1)
