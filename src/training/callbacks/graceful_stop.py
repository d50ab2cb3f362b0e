"""Stopping in the middle of training without losing a step."""

from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.distributed as dist
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
        self._saved = True  # what has been trained so far
        self._ranks: Any = None

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Keep Lightning from handling signals: its handlers wait for the other ranks."""
        connector: Any = trainer._signal_connector
        connector.register_signal_handlers = lambda: None

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """From here on the loop looks for signals."""
        if trainer.world_size > 1:
            # On a group of its own, of the CPU: to ask each step must not wait for a GPU.
            self._ranks = dist.new_group(backend="gloo")
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
        if done == trainer.num_training_batches or not self._wanted():
            return
        if done % trainer.accumulate_grad_batches == 0:
            if self.path is not None:
                trainer.save_checkpoint(self.path)
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the state at an epoch's end; its figures are not logged yet, so go on."""
        self._saved = self._wanted()
        if self._saved and self.path is not None:
            trainer.save_checkpoint(self.path)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop before the next epoch; for a signal since the end of the last, after its first step.

        The epochs since the last checkpoint would be lost otherwise.
        """
        if self._saved and self._wanted():
            self._stop(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop after the last epoch, before the test."""
        if self._wanted():
            self._stop(trainer)

    def _wanted(self) -> bool:
        """Whether any process of the run has received a signal; all must stop at one step."""
        number = self.watch.received or 0
        if self._ranks is not None:
            numbers = torch.tensor(number)
            dist.all_reduce(numbers, dist.ReduceOp.MAX, group=self._ranks)
            number = int(numbers.item())
            self.watch.received = self.watch.received or number or None
        return number > 0

    def _stop(self, trainer: L.Trainer) -> None:
        raise self.watch.interrupted(f" at step {trainer.global_step}")
