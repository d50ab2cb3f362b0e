"""What settings of several groups must agree on."""

from itertools import pairwise

from src.config.errors import ConfigError
from src.config.schema import METRICS, ResNetConfig, TrainConfig


def check_together(config: TrainConfig) -> None:
    """Check settings across groups.

    Raises:
        ConfigError: some contradict each other; names them and what to do.
    """
    _check_data(config)
    _check_lengths(config)
    _check_watching(config)
    if config.benchmark is not None:
        _check_benchmark(config)


def _check_benchmark(config: TrainConfig) -> None:
    trainer = config.trainer
    for key, value in (("devices", trainer.devices), ("num_nodes", trainer.num_nodes)):
        if value > 1:
            raise ConfigError(f"trainer.{key}={value}: a benchmark measures one device")
    if trainer.accumulate_grad_batches > 1 or trainer.gradient_clip_norm is not None:
        raise ConfigError(
            "trainer.accumulate_grad_batches and trainer.gradient_clip_norm: the loops that ours "
            "is compared with have neither; leave them out"
        )


def _check_data(config: TrainConfig) -> None:
    data, augment = config.data, config.augment
    if data.name == "shapes" and data.root is not None:
        raise ConfigError(f"data.root={data.root}: data=shapes is drawn; it has no files")
    if data.resident == "always" and data.num_workers:
        raise ConfigError(
            f"data.resident=always with data.num_workers={data.num_workers}: images that are on "
            "the device need no loader processes; leave one of them out"
        )
    if data.mean == [] or data.std == []:
        raise ConfigError("data.mean and data.std: one value per channel, or null to measure them")
    if data.channels == 2:
        raise ConfigError("data.channels=2: an image has 1 (grey) or 3 (RGB) channels")
    if data.mean and data.std and len(data.mean) != len(data.std):
        raise ConfigError(
            f"data.mean has {len(data.mean)} values and data.std {len(data.std)}: "
            "give one of each per channel"
        )
    if (data.mean is None) != (data.std is None):
        raise ConfigError("data.mean and data.std belong together: give both, or null for both")
    if data.name == "folder" and data.root is None:
        raise ConfigError("data.root: where are the images? give a folder or an archive")
    if data.image_size and max(augment.crop_padding, augment.cutout) >= data.image_size:
        raise ConfigError(
            f"augment.crop_padding={augment.crop_padding}, augment.cutout={augment.cutout}: "
            f"both must be smaller than data.image_size={data.image_size}"
        )
    ranks = config.trainer.devices * config.trainer.num_nodes
    if data.batch_size < ranks:
        raise ConfigError(
            f"data.batch_size={data.batch_size}: the {ranks} devices share a batch; "
            f"choose {ranks} or more"
        )


def _check_lengths(config: TrainConfig) -> None:
    trainer, schedule = config.trainer, config.scheduler
    if trainer.max_epochs is None and trainer.max_steps is None:
        raise ConfigError("trainer.max_epochs and trainer.max_steps: one of them must be set")
    if trainer.max_epochs and schedule.warmup_epochs >= trainer.max_epochs:
        raise ConfigError(
            f"scheduler.warmup_epochs={schedule.warmup_epochs:g}: must be shorter than the run "
            f"(trainer.max_epochs={trainer.max_epochs})"
        )
    if trainer.max_epochs and trainer.check_val_every_n_epoch > trainer.max_epochs:
        raise ConfigError(
            f"trainer.check_val_every_n_epoch={trainer.check_val_every_n_epoch}: the run of "
            f"trainer.max_epochs={trainer.max_epochs} would never be validated"
        )
    milestones = getattr(schedule, "milestones", [])
    if any(a >= b for a, b in pairwise(milestones)):
        raise ConfigError(f"scheduler.milestones={milestones}: must increase")
    if trainer.accelerator == "cpu" and trainer.precision == "16-mixed":
        raise ConfigError(
            "trainer.precision=16-mixed: float16 needs a GPU; on a CPU use bf16-mixed or 32-true"
        )
    if trainer.accelerator == "cpu" and trainer.sync_batchnorm:
        raise ConfigError("trainer.sync_batchnorm=true: torch has it for GPUs alone")
    model = config.model
    if isinstance(model, ResNetConfig) and model.zero_init_residual and model.shortcut == "none":
        raise ConfigError(
            "model.zero_init_residual=true with model.shortcut=none: nothing would pass "
            "through the blocks; leave one of them out"
        )
    betas = getattr(config.optimizer, "betas", [0, 0])
    if len(betas) != 2:
        raise ConfigError(f"optimizer.betas={betas}: two values are needed")
    if getattr(config.optimizer, "nesterov", False) and config.optimizer.momentum == 0:
        raise ConfigError(
            "optimizer.nesterov=true: needs optimizer.momentum above 0; "
            "for plain SGD add optimizer.nesterov=false"
        )


def _check_watching(config: TrainConfig) -> None:
    callbacks = config.callbacks
    if config.run.test_checkpoint == "best" and not callbacks.checkpoint:
        raise ConfigError(
            "test_checkpoint=best: needs callbacks.checkpoint=true; or choose test_checkpoint=last"
        )
    if config.data.validate_on == "test" and config.run.test_checkpoint == "best":
        raise ConfigError(
            "data.validate_on=test with test_checkpoint=best would choose the checkpoint by the "
            "test set; choose test_checkpoint=last"
        )
    if config.data.validate_on == "test" and callbacks.early_stopping.enabled:
        raise ConfigError(
            "data.validate_on=test with callbacks.early_stopping.enabled=true would stop by the "
            "test set; validate on a split of the training set instead"
        )
    assert callbacks.monitor in METRICS
