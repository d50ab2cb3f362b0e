"""Keeping ``run.json`` in step with a run."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from src.config import Interrupted, TrainConfig, UserError, as_user_errors
from src.config.errors import one_line
from src.runs import RunDirectory, RunRecord, open_record
from src.runs.lock import locked
from src.runs.record import read_record
from src.workflows.blame import blaming
from src.workflows.interruption import signals_held
from src.workflows.meeting import RankLost, meeting
from src.workflows.several import facts


class Recording(Protocol):
    """Takes further facts about a run."""

    def update(self, **fields: Any) -> None:
        """Add them to the record."""

    def begin(self) -> None:
        """Write the record of a resumed run, which its old one stands for until then."""


class _Unrecorded:
    """The record is the first rank's."""

    def update(self, **fields: Any) -> None:
        """Do nothing."""

    def begin(self) -> None:
        """Do nothing."""


@contextmanager
def recorded(directory: RunDirectory, config: TrainConfig) -> Iterator[Recording]:
    """Open the record of a run and close it with how the run ended, on whichever rank it did.

    That of a resumed run stays as it was until ``begin`` is called.

    Raises:
        UserError: the directory already holds a run, cannot be written, or belongs to a run that
            another process is training.
    """
    met = meeting()
    if met is not None and not met.rank.first:
        with blaming(met):
            yield _Unrecorded()
        return
    with ExitStack() as held:
        with as_user_errors():
            held.enter_context(locked(directory))
        with _kept(directory, config) as record:
            if met is None:
                yield record
            else:
                with blaming(met, lambda failure: record.close("failed", str(failure))):
                    yield record


@contextmanager
def _kept(directory: RunDirectory, config: TrainConfig) -> Iterator[RunRecord]:
    """Open a record, and write into it how what is done here ended.

    A signal can stop what is done, but neither of the two: nobody else would correct the record.
    """
    with ExitStack() as held:
        held.enter_context(signals_held(answered=True))
        with as_user_errors():
            record = open_record(directory, seed=config.run.seed, resumed=bool(config.run.resume))
        record.update(ranks=facts())
        try:
            held.close()
            yield record
            held.enter_context(signals_held(answered=False))
        except BaseException as error:
            with signals_held(answered=False):
                _close(record, error)
            if isinstance(error, RankLost):
                # The rank has said it on the screen.
                raise SystemExit(1) from error
            raise
        record.close("finished")


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
    if not isinstance(error, RankLost):
        logging.getLogger(__name__).debug("run failed", exc_info=error)
    record.close("failed", one_line(error))


def check_same_split(directory: RunDirectory, split_hash: str) -> None:
    """Refuse to continue a run on other images than it has been trained on.

    Raises:
        UserError: the training images are not those of the record.
    """
    with as_user_errors():
        before = read_record(directory).get("data", {}).get("split_hash")
    if before not in (None, split_hash):
        raise UserError(
            f"resume={directory.path}: the training images are not those the run began with "
            f"(split {split_hash}, then {before}); is data.root the same data set?"
        )
