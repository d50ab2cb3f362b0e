"""Settings of every group of ``conf/``: names, types, ranges.

Defaults are in ``conf/``. A field has a default here only if earlier versions lacked it: the value
for runs of theirs. Constraints on several fields are in :mod:`src.config.validate`.
"""

import dataclasses
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval
from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from src.config.fields import STRICT, Flag, Float, Int, defaults, flagged
from src.config.optimization import OPTIMIZERS, SCHEDULERS

Metric = Literal["val/acc", "val/loss", "train/acc", "train/loss"]
"""Metrics that checkpoints, early stopping and a search may monitor: none of the test set."""

CHANGEABLE, INCIDENTAL = Flag.CHANGEABLE, Flag.INCIDENTAL


@dataclass(config=STRICT, kw_only=True)
class ResNetConfig:
    """A network of ``src.models.resnet.VARIANTS``; ``null`` takes the value of its row."""

    _target_: str
    name: str
    num_classes: Annotated[Int, Ge(2)] | None
    in_channels: Annotated[Int, Ge(1)] | None
    stem: Literal["cifar", "imagenet"] | None
    shortcut: Literal["A", "B", "C", "none"] | None
    conv_bias: bool
    zero_init_residual: bool
    dropout: Annotated[Float, Interval(ge=0, lt=1)]
    norm_momentum: Annotated[Float, Interval(gt=0, le=1)]


@dataclass(config=STRICT, kw_only=True)
class DataConfig:
    """Data set, split and loading."""

    name: Literal["cifar10", "cifar100", "fashion_mnist", "shapes", "folder"]
    root: Annotated[str | None, CHANGEABLE]
    download: Annotated[bool, CHANGEABLE, INCIDENTAL]
    labels: Literal["fine", "coarse"]
    num_classes: Annotated[Int, Ge(2)] | None
    channels: Annotated[Int, Interval(ge=1, le=3)] | None
    image_size: Annotated[Int, Interval(ge=4, le=4096)] | None
    mean: list[Annotated[Float, Interval(ge=0, le=1)]] | None
    std: list[Annotated[Float, Interval(gt=0, le=1)]] | None
    validate_on: Literal["validation", "test"]
    val_fraction: Annotated[Float, Interval(gt=0, lt=1)]
    split_seed: Annotated[Int, Interval(ge=0, le=2**32 - 1)]
    batch_size: Annotated[Int, Ge(1)]
    eval_batch_size: Annotated[Annotated[Int, Ge(1)], CHANGEABLE, INCIDENTAL]
    drop_last: bool
    num_workers: Annotated[Annotated[Int, Interval(ge=0, le=256)], CHANGEABLE, INCIDENTAL]
    resident: Annotated[Literal["auto", "always", "never"], CHANGEABLE, INCIDENTAL]
    on_bad_image: Literal["error", "skip"]
    exclude: list[str] = dataclasses.field(default_factory=list)
    cache_dir: Annotated[str | None, CHANGEABLE, INCIDENTAL]


@dataclass(config=STRICT, kw_only=True)
class AugmentConfig:
    """Augmentation of training images."""

    crop_padding: Annotated[Int, Ge(0)]
    crop_mode: Literal["zeros", "reflect"]
    flip: Literal["none", "random", "alternating"]
    cutout: Annotated[Int, Ge(0)]
    erase_probability: Annotated[Float, Interval(ge=0, le=1)]
    erase_fill: Literal["noise", "mean", "zero"]
    mixup: Annotated[Float, Ge(0)]
    cutmix: Annotated[Float, Ge(0)]
    mix_probability: Annotated[Float, Interval(ge=0, le=1)]


CompileMode = Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]


@dataclass(config=STRICT, kw_only=True)
class TrainerConfig:
    """Devices, length, precision and evaluation of training."""

    accelerator: Annotated[Literal["auto", "gpu", "cpu"], CHANGEABLE]
    devices: Annotated[Annotated[Int, Ge(1)], CHANGEABLE]
    num_nodes: Annotated[Annotated[Int, Ge(1)], CHANGEABLE]
    sync_batchnorm: bool
    max_epochs: Annotated[Annotated[Int, Ge(1)] | None, CHANGEABLE]
    max_steps: Annotated[Annotated[Int, Ge(1)] | None, CHANGEABLE]
    precision: Annotated[Literal["auto", "32-true", "bf16-mixed", "16-mixed"], CHANGEABLE]
    accumulate_grad_batches: Annotated[Int, Ge(1)]
    gradient_clip_norm: Annotated[Float, Gt(0)] | None
    channels_last: bool
    compile: Annotated[bool, CHANGEABLE]
    compile_mode: Annotated[CompileMode, CHANGEABLE]
    deterministic: bool
    num_threads: Annotated[Annotated[Int, Ge(1)] | None, CHANGEABLE]
    check_val_every_n_epoch: Annotated[Int, Ge(1)]
    log_every_n_steps: Annotated[Annotated[Int, Ge(1)], CHANGEABLE, INCIDENTAL]
    limit_train_batches: Annotated[Int, Ge(1)] | None
    limit_val_batches: Annotated[Int, Ge(1)] | None
    limit_test_batches: Annotated[Int, Ge(1)] | None


@dataclass(config=STRICT, kw_only=True)
class EarlyStoppingConfig:
    """Stop when the monitored metric has not improved for ``patience`` validations."""

    enabled: Annotated[bool, CHANGEABLE]
    patience: Annotated[Annotated[Int, Ge(1)], CHANGEABLE]
    min_delta: Annotated[Annotated[Float, Ge(0)], CHANGEABLE]


@dataclass(config=STRICT, kw_only=True)
class EMAConfig:
    """Validate, test and save an exponential moving average of the weights."""

    enabled: bool
    decay: Annotated[Float, Interval(gt=0, lt=1)]
    every_n_steps: Annotated[Int, Ge(1)]


@dataclass(config=STRICT, kw_only=True)
class CallbacksConfig:
    """Checkpoints, early stopping, weight averaging, progress bar and summary."""

    monitor: Metric
    checkpoint: bool
    checkpoint_every_n_epochs: Annotated[Annotated[Int, Ge(1)], CHANGEABLE]
    early_stopping: EarlyStoppingConfig
    ema: EMAConfig
    progress_bar: Annotated[bool, CHANGEABLE, INCIDENTAL]
    model_summary: Annotated[bool, CHANGEABLE, INCIDENTAL]


@dataclass(config=STRICT, kw_only=True)
class LoggerConfig:
    """Loggers besides ``metrics.csv`` and ``metrics.json``, which are always written."""

    tensorboard: Annotated[bool, CHANGEABLE, INCIDENTAL]


Contender = Literal["ours", "bare", "plain"]


@dataclass(config=STRICT, kw_only=True)
class BenchmarkConfig:
    """Settings of ``python -m src.benchmark``."""

    mode: Literal["training", "input", "operations"]
    contenders: list[Contender]
    rounds: Annotated[Int, Interval(ge=1, le=1000)]
    seconds: Annotated[Float, Interval(gt=0, le=3600)]


Options = dict[str, Any]
"""Arguments of the class that ``_target_`` names, unchecked."""

FLAT_GROUPS: dict[str, type] = {
    "data": DataConfig,
    "augment": AugmentConfig,
    "trainer": TrainerConfig,
    "callbacks": CallbacksConfig,
    "logger": LoggerConfig,
}


@dataclass(config=STRICT, kw_only=True)
class RunSettings:
    """The settings outside of any group."""

    seed: Annotated[Int, Interval(ge=0, le=2**32 - 1)]
    label_smoothing: Annotated[Float, Interval(ge=0, lt=1)]
    test_checkpoint: Annotated[Literal["best", "last", "none"], CHANGEABLE]
    objective: Annotated[Metric, INCIDENTAL]
    resume: Annotated[str | None, INCIDENTAL]
    sweep: Annotated[str | None, INCIDENTAL]


@dataclasses.dataclass
class TrainConfig:
    """A checked configuration; ``benchmark`` is set for ``python -m src.benchmark`` alone."""

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
        """``benchmark``, in the configuration of a benchmark."""
        assert self.benchmark is not None
        return self.benchmark


def settings_with(flag: Flag) -> list[str]:
    """The settings with a flag as ``group.key``, sorted."""
    return sorted({key for prefix, kind in _KINDS for key in flagged(kind, flag, prefix)})


def added_settings() -> dict[str, Any]:
    """The settings added since the first version, with the values that keep its behavior."""
    return {key: value for prefix, kind in _KINDS for key, value in defaults(kind, prefix).items()}


_KINDS = [
    ("", RunSettings),
    ("model.", ResNetConfig),
    *((f"{name}.", kind) for name, kind in FLAT_GROUPS.items()),
    *(("optimizer.", kind) for kind in OPTIMIZERS.values()),
    *(("scheduler.", kind) for kind in SCHEDULERS.values()),
]


@dataclass(config=STRICT, kw_only=True)
class RunChoice:
    """Settings of a command that works on a trained network: run, checkpoint, output."""

    run: str | None
    ckpt: str | None
    checkpoint: Literal["best", "last"]
    trust: list[str]
    output: str | None


@dataclass(config=STRICT, kw_only=True)
class InferenceConfig(RunChoice):
    """Settings of a command that computes the outputs of a trained network."""

    accelerator: Literal["auto", "gpu", "cpu"]
    precision: Literal["run", "32-true", "bf16-mixed", "16-mixed"]
    batch_size: Annotated[Int, Ge(1)]


@dataclass(config=STRICT, kw_only=True)
class EvaluateConfig(InferenceConfig):
    """Settings of ``python -m src.evaluate``."""

    against: str | None
    tta: Literal["none", "flip", "shift"]


@dataclass(config=STRICT, kw_only=True)
class PredictConfig(InferenceConfig):
    """Settings of ``python -m src.predict``."""

    input: str | None
    top: Annotated[Int, Ge(1)]


@dataclass(config=STRICT, kw_only=True)
class ExportConfig(RunChoice):
    """Settings of ``python -m src.export``."""

    format: Literal["onnx", "torch_export", "safetensors"]


def _as_list(value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if item not in (None, "")]


@dataclass(config=STRICT, kw_only=True)
class ReportConfig:
    """Settings of ``python -m src.report``."""

    sweep: Annotated[list[str], BeforeValidator(_as_list)]
    metric: Literal[Metric, "test/acc", "test/loss"]
    output: str | None
    format: Literal["all", "results", "figure"]


COMMANDS: dict[str, type] = {
    "evaluate": EvaluateConfig,
    "predict": PredictConfig,
    "export": ExportConfig,
    "report": ReportConfig,
}
