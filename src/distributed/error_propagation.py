"""Propagation of errors between ranks: the root cause is printed once, and all ranks end."""

import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from src.distributed.rendezvous import Failure, PeerFailed, Rendezvous, destroy_process_group
from src.errors import Interrupted, RunFailed, UserError, one_line

_BY_SIGNAL = (Interrupted, KeyboardInterrupt)


@contextmanager
def propagate_errors(
    rendezvous: Rendezvous, before_exit: Callable[[Failure], None] = lambda _: None
) -> Iterator[None]:
    """Report an error to the other ranks, and raise the run's root cause on the first rank.

    When a rank fails, those that wait for it fail too, with errors of the network. The rank that
    failed first prints its error; the others end silently. The first rank gets PeerFailed where
    another one is the cause, every rank Interrupted where one was told to stop.

    Args:
        before_exit: called before this process is ended because it hangs after another's failure.
    """
    try:
        with rendezvous.exit_if_peer_fails(before_exit):
            yield
        destroy_process_group()
    except BaseException as error:
        cause = _root_cause(rendezvous, error)
        destroy_process_group(failed=True)
        if rendezvous.rank.first or isinstance(cause, Interrupted):
            raise cause from (None if cause is error else error)
        raise SystemExit(2 if isinstance(error, UserError) else 1) from error


def _root_cause(rendezvous: Rendezvous, error: BaseException) -> BaseException:
    """The error that ended the run, printed if it is of this rank, and this is not the first."""
    rank = rendezvous.rank
    if isinstance(error, PeerFailed):
        return error
    failure = _report(rendezvous, error)
    if failure.rank == rank.number:
        if _is_network_error(error):
            error = RunFailed(
                "lost another rank, which reported no error (killed? out of memory?): "
                f"{one_line(error)}"
            )
        if not rank.first:  # the first rank's is printed by src.cli
            _print(rank.number, error)
        return error
    if failure.stopped_by is not None:
        is_signal = isinstance(error, _BY_SIGNAL)
        return error if is_signal else Interrupted(failure.stopped_by, failure.reason)
    if isinstance(error, UserError) and rank.first:
        return error  # every rank has found it
    return PeerFailed(str(failure))


def _report(rendezvous: Rendezvous, error: BaseException) -> Failure:
    """Report an error and return the first failure of the run, this rank's or another's."""
    # A network error may arrive before the report of the rank that caused it.
    if _is_network_error(error) and (failure := rendezvous.first_failure(patience=2.0)):
        return failure
    if isinstance(error, _BY_SIGNAL):
        number = int(getattr(error, "signal_number", signal.SIGINT))
        return rendezvous.report_failure(one_line(error), number)
    name = "" if isinstance(error, (UserError, RunFailed)) else f"{type(error).__name__}: "
    return rendezvous.report_failure(f"{name}{one_line(error)}")


def _print(rank: int, error: BaseException) -> None:
    if isinstance(error, (UserError, RunFailed)):
        print(f"error: rank {rank}: {one_line(error)}", file=sys.stderr)
    elif not isinstance(error, _BY_SIGNAL):
        traceback.print_exception(error)


def _is_network_error(error: BaseException) -> bool:
    from torch.distributed import DistError

    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error).lower()
    )
