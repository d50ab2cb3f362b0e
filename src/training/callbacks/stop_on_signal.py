"""Stop training on SIGINT and SIGTERM: finish the step, save, stop."""

import logging
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from src.errors import Interrupted
from src.process.signals import end_on_next

log = logging.getLogger(__name__)


class StopRequest:
    """Ends a run on SIGINT and SIGTERM with :class:`Interrupted`.

    While ``graceful``, the training loop checks ``signal_number``, the first signal on any rank,
    where it can stop without losing a step. Otherwise, and on a second signal, the run ends at
    once. A third ends the process.
    """

    def __init__(self, checkpoint: Path | None, resume_words: Sequence[str] = ()):
        """Save to ``checkpoint``, if any; name ``resume_words`` in the message if it exists."""
        self.checkpoint = checkpoint
        self.resume_words = resume_words
        self.signal_number: int | None = None
        self.graceful = False
        self._count = 0

    def interrupted(self, where: str = "") -> Interrupted:
        assert self.signal_number is not None
        name = signal.Signals(self.signal_number).name
        how = "nothing was saved yet"
        if self.checkpoint is not None and self.checkpoint.exists():
            how = f"continue with {shlex.join(self.resume_words)}"
        return Interrupted(self.signal_number, f"interrupted by {name}{where}; {how}")

    def on_signal(self, number: int) -> None:
        self._count += 1
        # Known from another rank: the run is stopping already, this is no second signal.
        known, self.signal_number = self.signal_number is not None, self.signal_number or number
        if self._count == 1 and (self.graceful or known):
            log.warning("stopping after this step; once more to stop at once")
            return
        if self._count > 1:
            end_on_next(number)
        raise self.interrupted()


class StopOnSignal(Checkpoint):
    """After a signal finishes the step, writes ``last.ckpt`` and ends the run.

    During validation the epoch is ended first, with its checkpoints: Lightning calls subclasses of
    ``Checkpoint`` last, in their order.
    """

    def __init__(self, stop_request: StopRequest):
        self.stop_request = stop_request
        self._saved = True  # whether last.ckpt, if any, is of the last step
        self._cpu_group: Any = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Disable Lightning's signal handlers: they wait for the other ranks."""
        connector: Any = trainer._signal_connector
        connector.register_signal_handlers = lambda: None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.world_size > 1:
            # A CPU group of its own: the check in each step must not wait for a GPU.
            self._cpu_group = dist.new_group(backend="gloo")
        self.stop_request.graceful = True

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.stop_request.graceful = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop between two optimizer steps, except before a validation that is due."""
        done = batch_idx + 1
        if done == trainer.num_training_batches or not self._is_requested():
            return
        if done % trainer.accumulate_grad_batches == 0:
            self._save(trainer)
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the state, but go on: the epoch's metrics are not logged yet."""
        self._saved = self._is_requested()
        if self._saved:
            self._save(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop before the next epoch if the state has been saved, else after its first step."""
        if self._saved and self._is_requested():
            self._stop(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop after the last epoch, before the test."""
        if self._is_requested():
            self._stop(trainer)

    def _is_requested(self) -> bool:
        """Whether any rank has received a signal; all ranks must stop at the same step."""
        number = self.stop_request.signal_number or 0
        if self._cpu_group is not None:
            numbers = torch.tensor(number)
            dist.all_reduce(numbers, dist.ReduceOp.MAX, group=self._cpu_group)
            number = int(numbers.item())
            self.stop_request.signal_number = self.stop_request.signal_number or number or None
        return number > 0

    def _save(self, trainer: Trainer) -> None:
        if self.stop_request.checkpoint is not None:
            trainer.save_checkpoint(self.stop_request.checkpoint)

    def _stop(self, trainer: Trainer) -> None:
        raise self.stop_request.interrupted(f" at step {trainer.global_step}")
