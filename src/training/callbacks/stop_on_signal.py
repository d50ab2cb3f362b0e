"""Stop training on SIGINT and SIGTERM: finish the step, save, stop."""

import logging
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import lightning as L
import torch
import torch.distributed as dist
from lightning.pytorch.callbacks import Checkpoint

from src.errors import Interrupted
from src.process.signals import end_on_next, handle_signals

log = logging.getLogger(__name__)


class StopRequest:
    """Ends a run on Ctrl-C and SIGTERM with :class:`Interrupted`.

    At once, except while ``graceful``: the training loop then looks at ``signal_number`` where it
    can stop without losing a step. A second signal ends the run at once even then; a third one is
    the system's, which ends the process.

    Attributes:
        signal_number: the first signal, here or on another rank of the run, or ``None``.
        graceful: whether the loop is going to look.
    """

    def __init__(self, last_checkpoint: Path | None, words: Sequence[str] = ()):
        """Say to go on with ``words``, if ``last_checkpoint`` exists when the run is stopped."""
        self.signal_number: int | None = None
        self.graceful = False
        self._count = 0
        self._last = last_checkpoint
        self._words = words
        self._handling = handle_signals(self._on_signal)

    def __enter__(self) -> Self:
        """Take over the signals."""
        self._handling.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        self._handling.__exit__(kind, error, trace)

    def interrupted(self, where: str = "") -> Interrupted:
        """The exception to raise for the received signal; ``where`` is part of its message."""
        assert self.signal_number is not None
        name = signal.Signals(self.signal_number).name
        if self._last is not None and self._last.exists():
            how = f"continue with {' '.join(map(shlex.quote, self._words))}"
        else:
            how = "nothing was saved yet"
        return Interrupted(self.signal_number, f"interrupted by {name}{where}; {how}")

    def _on_signal(self, number: int) -> None:
        self._count += 1
        # Where another rank was faster the run is stopping already; this is no second signal.
        known, self.signal_number = self.signal_number is not None, self.signal_number or number
        if self._count == 1 and (self.graceful or known):
            log.warning("stopping after this step; once more to stop at once")
            return
        if self._count > 1:
            end_on_next(number)
        raise self.interrupted()


class StopOnSignal(Checkpoint):
    """After a signal finishes the step, writes ``last.ckpt`` and ends the run.

    During validation the epoch is ended first, with its checkpoints. Being a ``Checkpoint`` it
    comes after the callbacks that write them.
    """

    def __init__(self, watch: StopRequest, path: Path | None):
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
        self.watch.graceful = True

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Outside of training nobody looks."""
        self.watch.graceful = False

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
        number = self.watch.signal_number or 0
        if self._ranks is not None:
            numbers = torch.tensor(number)
            dist.all_reduce(numbers, dist.ReduceOp.MAX, group=self._ranks)
            number = int(numbers.item())
            self.watch.signal_number = self.watch.signal_number or number or None
        return number > 0

    def _stop(self, trainer: L.Trainer) -> None:
        raise self.watch.interrupted(f" at step {trainer.global_step}")
