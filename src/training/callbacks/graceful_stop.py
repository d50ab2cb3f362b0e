"""Stopping in the middle of training without losing a step."""

import signal
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint

from src.training.signals import SignalWatch


class GracefulStop(Checkpoint):
    """After a signal finishes the step, writes ``last.ckpt`` and ends the run.

    During validation the epoch is ended first, with its checkpoints. Being a ``Checkpoint`` it
    comes after the callbacks that write them.
    """

    def __init__(self, watch: SignalWatch, path: Path | None):
        """Stop when ``watch`` has received a signal; write the state to ``path``, if given."""
        self.watch = watch
        self.path = path

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """From here on the loop looks for signals; Lightning has set up its handlers by now."""
        self.watch.install()
        self.watch.patient = True

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Outside of training nobody looks."""
        self.watch.patient = False

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Stop between two optimizer steps, except before a validation that is due."""
        done = batch_idx + 1
        if done == trainer.num_training_batches or not self._wanted(trainer):
            return
        if done % trainer.accumulate_grad_batches == 0:
            if self.path is not None:
                trainer.save_checkpoint(self.path)
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the state at an epoch's end; its figures are not logged yet, so go on."""
        if self._wanted(trainer) and self.path is not None:
            trainer.save_checkpoint(self.path)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop before the next epoch."""
        if self.watch.received is not None:
            self._stop(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop after the last epoch, before the test."""
        if self.watch.received is not None:
            self._stop(trainer)

    def _wanted(self, trainer: L.Trainer) -> bool:
        """Whether any process of the run has received a signal; all must stop at one step."""
        if trainer.world_size > 1:
            wanted = self.watch.received is not None
            if trainer.strategy.reduce_boolean_decision(wanted, all=False) and not wanted:
                self.watch.received = signal.SIGTERM
        return self.watch.received is not None

    def _stop(self, trainer: L.Trainer) -> None:
        raise self.watch.interrupted(f" at step {trainer.global_step}")
