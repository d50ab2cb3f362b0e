"""Lifecycle of a run: run.json and the lock are held, errors explained in terms of settings."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from lightning.fabric.utilities.exceptions import MisconfigurationException

from src.config.schema import TrainConfig
from src.distributed.error_propagation import propagate_errors
from src.distributed.join import rank_facts
from src.distributed.rendezvous import Failure, PeerFailed, rendezvous
from src.errors import Interrupted, RunFailed, UserError, as_user_errors, is_out_of_memory, one_line
from src.process.signals import defer_signals
from src.runs.directory import RunDirectory
from src.runs.lock import locked
from src.runs.record import RunRecord, open_record, read_record
from src.training.checkpoint import CheckpointError


@contextmanager
def explain_errors(config: TrainConfig) -> Iterator[None]:
    """Turn running out of memory or disk into one line that says what to change."""
    try:
        yield
    except (MisconfigurationException, CheckpointError) as error:
        raise UserError(one_line(error)) from error
    except ValueError as error:
        if "more than 1 value per channel" in str(error):
            raise UserError(
                f"data.batch_size={config.data.batch_size}: batch norm cannot do with one image of "
                "a single pixel, which is what this network makes of it; take more images a batch"
            ) from error
        raise
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise RunFailed(_memory(config)) from error
        if "Error(s) in loading state_dict" in str(error):
            raise UserError(f"the checkpoint is of another network: {one_line(error)}") from error
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise RunFailed(f"{where}cannot be written or read: {one_line(error)}") from error


def _memory(config: TrainConfig) -> str:
    size, parts = config.data.batch_size, config.trainer.accumulate_grad_batches
    return (
        f"out of memory with data.batch_size={size}; try data.batch_size={max(size // 2, 1)} "
        f"trainer.accumulate_grad_batches={parts * 2}, which takes the same steps"
    )


class RecordWriter(Protocol):
    """Takes further facts about a run."""

    def update(self, **fields: Any) -> None:
        """Add them to the record."""

    def begin(self) -> None:
        """Write the record of a resumed run, which its old one stands for until then."""


class _NullRecordWriter:
    """The record is the first rank's."""

    def update(self, **fields: Any) -> None:
        """Do nothing."""

    def begin(self) -> None:
        """Do nothing."""


@contextmanager
def run_lifecycle(directory: RunDirectory, config: TrainConfig) -> Iterator[RecordWriter]:
    """Open the record of a run and close it with how the run ended, on whichever rank it did.

    That of a resumed run stays as it was until ``begin`` is called.
    """
    met = rendezvous()
    if met is not None and not met.rank.first:
        with propagate_errors(met):
            yield _NullRecordWriter()
        return
    with ExitStack() as held:
        with as_user_errors():
            held.enter_context(locked(directory))
        record = held.enter_context(_open_record(directory, config))
        if met is not None:

            def give_up(failure: Failure) -> None:
                record.close("failed", str(failure))

            held.enter_context(propagate_errors(met, give_up))
        yield record


@contextmanager
def _open_record(directory: RunDirectory, config: TrainConfig) -> Iterator[RunRecord]:
    """Open a record, and write into it how what is done here ended.

    A signal can stop what is done, but neither of the two: nobody else would correct the record.
    """
    record = None
    try:
        with defer_signals(answered=True), as_user_errors():
            record = open_record(directory, seed=config.run.seed, resumed=bool(config.run.resume))
            record.update(ranks=rank_facts())
        yield record
        with defer_signals(answered=False):
            record.close("finished")
    except BaseException as error:
        if record is not None and record.content["state"] != "finished":
            with defer_signals(answered=False):
                _close(record, error)
        if isinstance(error, PeerFailed):
            # The rank has said it on the screen.
            raise SystemExit(1) from error
        raise


def _close(record: RunRecord, error: BaseException) -> None:
    """Write down what ended a run before its time; a full disk is often both."""
    try:
        _write_end(record, error)
    except OSError as problem:
        logging.getLogger(__name__).warning(
            "%s: still says running (%s)", record.directory.record, problem.strerror
        )


def _write_end(record: RunRecord, error: BaseException) -> None:
    if isinstance(error, (Interrupted, KeyboardInterrupt)):
        record.close("interrupted", str(error) or "KeyboardInterrupt")
        return
    if not isinstance(error, PeerFailed):
        logging.getLogger(__name__).debug("run failed", exc_info=error)
    record.close("failed", one_line(error))


def check_same_split(directory: RunDirectory, split_hash: str) -> None:
    """Refuse to continue a run on other images than it has been trained on."""
    with as_user_errors():
        before = read_record(directory).get("data", {}).get("split_hash")
    if before not in (None, split_hash):
        raise UserError(
            f"resume={directory.path}: the training images are not those the run began with "
            f"(split {split_hash}, then {before}); is data.root the same data set?"
        )
