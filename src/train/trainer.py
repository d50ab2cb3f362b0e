"""Build the Lightning Trainer with its callbacks and loggers."""

from typing import Any

import lightning as L
from lightning.fabric.plugins.environments import LightningEnvironment, TorchElasticEnvironment
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from src.config.schema import TrainConfig
from src.console import quiet_lightning
from src.distributed.ranks import this_rank
from src.runs.directory import RunDirectory
from src.train.prediction_visualizer import PredictionVisualizer
from src.training.callbacks.checkpoints import EarlyStopping, LastCheckpoint, RunCheckpoint
from src.training.callbacks.gradient_norm_monitor import GradientNormMonitor
from src.training.callbacks.input_visualizer import InputVisualizer
from src.training.callbacks.metrics_logger import MetricsLogger
from src.training.callbacks.non_finite_monitor import NonFiniteMonitor
from src.training.callbacks.progress_bar import ProgressBar
from src.training.callbacks.step_seed import StepSeed
from src.training.callbacks.stop_on_signal import StopOnSignal, StopRequest
from src.training.callbacks.weight_averaging import EMAWeightAveraging
from src.training.checkpoint_io import AtomicCheckpointIO
from src.training.hardware import Compute
from src.training.loggers import CsvLogger, TensorBoard


def build_trainer(
    config: TrainConfig,
    directory: RunDirectory,
    compute: Compute,
    resume_step: int | None,
    stop_request: StopRequest,
) -> L.Trainer:
    """Build a Trainer in ``directory``, whose logs continue at ``resume_step`` if it is given."""
    quiet_lightning()
    settings = config.trainer
    # Given explicitly, because Lightning would guess SLURM's inside of any SLURM allocation.
    cluster = TorchElasticEnvironment() if this_rank().started_by else LightningEnvironment()
    loggers: list[Logger] = [CsvLogger(directory.rows, resume_step)]
    if config.logger.tensorboard:
        loggers.append(TensorBoard(directory.path, resume_step))
    trainer = L.Trainer(
        accelerator=compute.accelerator,
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        precision=compute.precision,  # type: ignore[arg-type]
        max_epochs=settings.max_epochs or -1,
        max_steps=settings.max_steps or -1,
        accumulate_grad_batches=settings.accumulate_grad_batches,
        gradient_clip_val=settings.gradient_clip_norm,
        deterministic=settings.deterministic,
        check_val_every_n_epoch=settings.check_val_every_n_epoch,
        log_every_n_steps=1,  # MetricsLogger has the interval of the configuration
        limit_train_batches=settings.limit_train_batches,
        limit_val_batches=settings.limit_val_batches,
        limit_test_batches=settings.limit_test_batches,
        callbacks=build_callbacks(config, directory, stop_request),
        logger=loggers,
        plugins=[AtomicCheckpointIO(), cluster],
        sync_batchnorm=settings.sync_batchnorm,
        enable_progress_bar=config.callbacks.progress_bar,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=directory.path,
    )
    # Resumed with max_steps from an epoch's last checkpoint, Lightning 2.6.6 ends that epoch a
    # second time, and logs and monitors a mean over no images.
    trainer.fit_loop._iteration_based_training = lambda: False  # type: ignore[method-assign]
    return trainer


def build_callbacks(
    config: TrainConfig, directory: RunDirectory, stop_request: StopRequest
) -> list[Callback]:
    """The callbacks in the order they are called; those that write checkpoints come last."""
    settings = config.callbacks
    metrics_logger = MetricsLogger(config.trainer.log_every_n_steps)
    callbacks: list[Callback] = [StepSeed(config.run.seed), NonFiniteMonitor(metrics_logger)]
    callbacks.append(metrics_logger)
    if config.logger.tensorboard:
        callbacks.append(GradientNormMonitor(metrics_logger))
        callbacks.append(InputVisualizer(config.data.mean, config.data.std))
        callbacks.append(PredictionVisualizer())
    if settings.progress_bar:
        callbacks.append(ProgressBar())
    if settings.ema.enabled:
        callbacks.append(EMAWeightAveraging(settings.ema.decay, settings.ema.every_n_steps))
    mode = "max" if settings.monitor.endswith("acc") else "min"
    monitored: dict[str, Any] = {"monitor": settings.monitor, "mode": mode}
    if (stopping := settings.early_stopping).enabled:
        stop = EarlyStopping(patience=stopping.patience, min_delta=stopping.min_delta, **monitored)
        callbacks.append(stop)
    if settings.checkpoint:
        n = settings.checkpoint_every_n_epochs
        callbacks.append(RunCheckpoint(directory.best, **monitored))
        callbacks.append(LastCheckpoint(directory.last, every_n_epochs=n))
    callbacks.append(StopOnSignal(stop_request))
    return callbacks
