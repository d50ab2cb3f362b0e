"""This project's training as ``python -m src.train`` runs it, halted between measurements."""

import tempfile
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import torch

from src.benchmark.contenders.base import wait_for
from src.config.schema import TrainConfig
from src.console import quiet_loggers
from src.data.module import ImageDataModule
from src.runs.directory import RunDirectory
from src.train.build import build_classifier
from src.train.trainer import build_trainer
from src.training.callbacks.stop_on_signal import StopRequest
from src.training.hardware import Compute, device_of

Steps = Generator[None, None, float]
"""Runs for some training steps; its value is the seconds they took."""

Script = Generator[None, None, None]
"""Yields for each training step it wants; what it does in between is not timed."""


class Stopwatch(L.Callback):
    """Runs a script beside the training loop and times the steps the script asks for.

    A step lasts from the end of the one before, so that fetching, augmenting, logging and every
    other callback count; validation and what else happens between epochs does not.
    """

    def __init__(self, device: torch.device):
        """Time steps on ``device``."""
        self.device = device
        self.script: Script = _nothing()
        self.images = 0
        self._mark = 0.0
        self._busy = 0.0

    def steps(self, count: int) -> Steps:
        """Wait for ``count`` steps; return the seconds they took, the device's work included."""
        wait_for(self.device)
        self._busy, self.images = 0.0, 0
        for _ in range(count):
            yield
        before = time.perf_counter()
        wait_for(self.device)
        return self._busy + time.perf_counter() - before

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave out what came before."""
        if trainer.global_step == 0:
            next(self.script)
        self._mark = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count the step and let the script go on."""
        self._busy += time.perf_counter() - self._mark
        self.images += len(batch.labels)
        try:
            next(self.script)
        except StopIteration:
            trainer.should_stop = True
        self._mark = time.perf_counter()


def _nothing() -> Script:
    return
    yield


def train(
    config: TrainConfig, data: ImageDataModule, compute: Compute, watch: Stopwatch, place: Path
) -> None:
    """Train until the script of ``watch`` has ended, with all that ``src.train`` does in a step.

    Validation and checkpoints are left out; the logs go into a directory in ``place`` that is
    removed afterwards.
    """
    config = _endless(config)
    classifier, _ = build_classifier(config, data, compute)
    with (
        tempfile.TemporaryDirectory(dir=place, prefix="run-") as folder,
        quiet_loggers("src.training.callbacks.metrics_logger"),
    ):
        signals = StopRequest(None)
        directory = RunDirectory(Path(folder))
        with signals:
            trainer = build_trainer(config, directory, compute, None, signals)
            trainer.callbacks += [watch, _Impatient(signals)]  # type: ignore[attr-defined]
            trainer.fit(classifier, datamodule=data)


class _Impatient(L.Callback):
    """Ends the run at once on a signal: there is nothing to save."""

    def __init__(self, signals: StopRequest):
        self.signals = signals

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.signals.graceful = False


def stopwatch(compute: Compute) -> Stopwatch:
    """A stopwatch for the device that computes."""
    return Stopwatch(device_of(compute.accelerator))


def _endless(config: TrainConfig) -> TrainConfig:
    return replace(
        config,
        trainer=replace(
            config.trainer, max_epochs=10**4, max_steps=None, check_val_every_n_epoch=10**4
        ),
        callbacks=replace(
            config.callbacks,
            checkpoint=False,
            early_stopping=replace(config.callbacks.early_stopping, enabled=False),
        ),
    )
