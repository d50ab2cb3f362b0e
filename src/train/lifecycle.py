"""Lifecycle of a run: holds run.json and the lock, explains errors in terms of settings."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lightning.fabric.utilities.exceptions import MisconfigurationException

from src.config.schema import TrainConfig
from src.distributed.join import rank_facts
from src.distributed.rendezvous import PeerFailed, propagate_errors, rendezvous
from src.errors import Interrupted, RunFailed, UserError, as_user_errors, is_out_of_memory, one_line
from src.process.signals import defer_signals
from src.runs.directory import RunDirectory
from src.runs.lock import locked
from src.runs.record import RunRecord, open_record
from src.training.checkpoint_io import CheckpointError

log = logging.getLogger(__name__)


@contextmanager
def explain_errors(config: TrainConfig) -> Iterator[None]:
    """Turn errors of torch and Lightning into one line that names the setting to change."""
    try:
        yield
    except (MisconfigurationException, CheckpointError) as error:
        raise UserError(one_line(error)) from error
    except ValueError as error:
        if "more than 1 value per channel" in str(error):
            raise UserError(
                f"data.batch_size={config.data.batch_size}: batch norm cannot train on one image "
                "that the network has reduced to a single pixel; raise data.batch_size"
            ) from error
        raise
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            size, parts = config.data.batch_size, config.trainer.accumulate_grad_batches
            raise RunFailed(
                f"out of memory with data.batch_size={size}; try data.batch_size="
                f"{max(size // 2, 1)} trainer.accumulate_grad_batches={parts * 2}, "
                "which takes the same steps"
            ) from error
        if "Error(s) in loading state_dict" in str(error):
            raise UserError(f"the checkpoint is of another network: {one_line(error)}") from error
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise RunFailed(f"{where}cannot be written or read: {one_line(error)}") from error


@contextmanager
def run_lifecycle(directory: RunDirectory, config: TrainConfig) -> Iterator[RunRecord]:
    """Open the record of a run, and close it with the run's outcome on whichever rank ended it.

    The record of a resumed run stays as it was until ``begin`` is called. The first rank alone
    writes it.
    """
    ranks = rendezvous()
    if ranks is not None and not ranks.rank.first:
        with propagate_errors(ranks):
            yield RunRecord(directory, {}, begun=False)
        return
    with ExitStack() as stack:
        with as_user_errors():
            stack.enter_context(locked(directory))
        record = stack.enter_context(_open_record(directory, config))
        if ranks is not None:
            stack.enter_context(
                propagate_errors(ranks, lambda failure: record.close("failed", str(failure)))
            )
        yield record


@contextmanager
def _open_record(directory: RunDirectory, config: TrainConfig) -> Iterator[RunRecord]:
    """Open the record, and close it with the outcome of the ``with`` block.

    A signal can interrupt the block, but neither opening nor closing: no other process would
    correct the record.
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
            # That rank has printed the error.
            raise SystemExit(1) from error
        raise


def _close(record: RunRecord, error: BaseException) -> None:
    """Write the outcome of a run that did not finish, if the disk is not full."""
    interrupted = isinstance(error, (Interrupted, KeyboardInterrupt))
    if not interrupted and not isinstance(error, PeerFailed):
        log.debug("run failed", exc_info=error)
    try:
        record.close("interrupted" if interrupted else "failed", one_line(error))
    except OSError as problem:
        log.warning("%s: still says running (%s)", record.directory.record, problem.strerror)
