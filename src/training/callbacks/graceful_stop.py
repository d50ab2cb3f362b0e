"""Stopping on Ctrl-C and SIGTERM without losing a step."""

import logging
import signal
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint

from src.config import Interrupted

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class GracefulStop(Checkpoint):
    """On the first signal finishes the step, writes ``last.ckpt`` and ends the run.

    During validation the epoch is ended first, with its checkpoints. A second signal ends the
    process at once. Being a ``Checkpoint`` it comes after the callbacks that write them.
    """

    def __init__(self, path: Path | None):
        """Write the state to ``path``; ``None`` writes none."""
        self.path = path
        self._received: int | None = None
        self._previous: dict[int, Any] = {}

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take over the signals; Lightning has set up its own by now."""
        for number in SIGNALS:
            self._previous[number] = signal.signal(number, self._on_signal)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Give the signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._received is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._received = number
        log.warning("stopping after this step; once more to stop at once")

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
        if self._received is not None:
            self._stop(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop after the last epoch, before the test."""
        if self._received is not None:
            self._stop(trainer)

    def _wanted(self, trainer: L.Trainer) -> bool:
        """Whether any process of the run has received a signal; all must stop at one step."""
        if trainer.world_size > 1:
            wanted = self._received is not None
            if trainer.strategy.reduce_boolean_decision(wanted, all=False) and not wanted:
                self._received = signal.SIGTERM
        return self._received is not None

    def _stop(self, trainer: L.Trainer) -> None:
        assert self._received is not None
        name = signal.Signals(self._received).name
        if self.path is None or not self.path.exists():
            saved = "nothing was saved"
        else:
            saved = f"continue with resume={self.path.parent.parent}"
        raise Interrupted(
            self._received, f"interrupted by {name} at step {trainer.global_step}; {saved}"
        )
