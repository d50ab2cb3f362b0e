"""Propagation of errors between ranks: the root cause is named once, the other ranks end."""

import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from src.distributed.rendezvous import Failure, PeerFailed, Rendezvous, destroy_process_group
from src.errors import Interrupted, RunFailed, UserError, one_line


@contextmanager
def propagate_errors(
    met: Rendezvous, give_up: Callable[[Failure], None] = lambda _: None
) -> Iterator[None]:
    """Tell the other ranks of an error, and find the one that came first.

    When a rank fails, those that wait for it fail too, with errors of the network. The first to
    fail says its error on the screen; the others end without a word.

    Args:
        met: the ranks.
        give_up: what to do before this process is ended where it cannot end by itself.

    Raises:
        PeerFailed: on the first rank, where another is the cause.
        Interrupted: a rank was told to stop, this one or another.
        SystemExit: on the other ranks, whatever the error.
    """
    try:
        with met.exit_if_peer_fails(give_up):
            yield
        destroy_process_group()
    except BaseException as error:
        ended = _root_cause(met, error)
        destroy_process_group(failed=True)
        if met.rank.first or isinstance(ended, Interrupted):
            raise ended from (None if ended is error else error)
        raise SystemExit(2 if isinstance(error, UserError) else 1) from error


def _root_cause(met: Rendezvous, error: BaseException) -> BaseException:
    """The error to raise for ``error``, once it is known who was the first."""
    if isinstance(error, PeerFailed):
        return error
    by_signal = isinstance(error, (Interrupted, KeyboardInterrupt))
    number = error.signal_number if isinstance(error, Interrupted) else signal.SIGINT
    # The network's error may be here before the word of the rank that has caused it.
    failure = met.first_failure(patience=2.0) if _of_network(error) else None
    reason = one_line(error) if _is_known(error) else f"{type(error).__name__}: {one_line(error)}"
    failure = failure or met.report_failure(reason, int(number) if by_signal else None)
    if failure.rank == met.rank.number:
        return _print_once(met, error)
    if failure.stopped_by is not None:
        return error if by_signal else Interrupted(failure.stopped_by, failure.reason)
    return error if isinstance(error, UserError) and met.rank.first else PeerFailed(str(failure))


def _print_once(met: Rendezvous, error: BaseException) -> BaseException:
    """Say an error that was the first of all; on the first rank that is done further up."""
    if _of_network(error):
        lost = f"another rank has ended without a word (killed? out of memory?): {one_line(error)}"
        error = RunFailed(lost)
    if met.rank.first:
        return error
    if isinstance(error, (Interrupted, KeyboardInterrupt)):
        return error
    if _is_known(error):
        print(f"error: rank {met.rank.number}: {one_line(error)}", file=sys.stderr)
    else:
        traceback.print_exception(error)
    return error


def _is_known(error: BaseException) -> bool:
    return isinstance(error, (UserError, RunFailed, Interrupted, KeyboardInterrupt))


def _of_network(error: BaseException) -> bool:
    from torch.distributed import DistError

    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error).lower()
    )
