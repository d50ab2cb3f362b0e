"""Coordination of ranks outside of training, over torch.distributed's key-value store.

Ranks share values, take turns, and learn of the first failure, whose error is printed once.
Waiting is polling: a blocking call of the store would delay the handling of signals.
"""

import functools
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from src.distributed.ranks import Rank, this_rank
from src.errors import Interrupted, RunFailed, UserError, one_line

if TYPE_CHECKING:
    from torch.distributed import Store

GRACE = 5.0
"""Seconds that a rank has to end by itself after another one has failed."""

_POLL = 0.05
_JOIN = timedelta(minutes=10)
_BY_SIGNAL = (Interrupted, KeyboardInterrupt)


@dataclass(frozen=True)
class Failure:
    """A rank that failed, the error in one line, and the signal that stopped it, if one did."""

    rank: int
    reason: str
    stopped_by: int | None = None

    def __str__(self) -> str:
        return f"rank {self.rank}: {self.reason}"


_STORE_CLOSED = Failure(0, "has ended")


class PeerFailed(RunFailed):
    """The end of a run because another rank has failed and printed its error."""


class Rendezvous:
    """Key-value store that a run's ranks share until the first rank has ended."""

    def __init__(self, rank: Rank):
        """Wait until all ranks have joined."""
        from torch.distributed import DistError, PrefixStore
        from torch.distributed.rendezvous import rendezvous

        self.rank = rank
        try:
            self.run_store, _, _ = next(iter(rendezvous("env://", timeout=_JOIN)))
        except (DistError, ValueError) as error:
            where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
            raise UserError(
                f"the {rank.size} processes of the run did not connect at {where}: "
                f"{str(error).splitlines()[0]}"
            ) from error
        # torchrun keeps its store, with the failures in it, when it starts the ranks again.
        self.store: Store = PrefixStore(f"attempt-{rank.attempt}", self.run_store)

    def broadcast_value(self, key: str, decide: Callable[[], str]) -> str:
        """The value that ``decide`` returns on the first rank."""
        if not self.rank.first:
            return self.wait_for_value(key)
        try:
            value = decide()
        except UserError as error:
            self.report_failure(error)
            raise
        self.store.set(key, value)
        return value

    def wait_for_value(self, key: str) -> str:
        """Wait for a value that another rank sets; raise PeerFailed if a rank fails."""
        while not self.store.check([key]):
            if failure := self.first_failure():
                raise PeerFailed(str(failure))
            time.sleep(_POLL)
        return self.store.get(key).decode()

    def report_failure(self, error: BaseException) -> Failure:
        """Report an error of this rank and return the first failure of the run."""
        reason, stopped_by = one_line(error), None
        if isinstance(error, _BY_SIGNAL):
            stopped_by = int(getattr(error, "signal_number", signal.SIGINT))
        elif not isinstance(error, (UserError, RunFailed)):
            reason = f"{type(error).__name__}: {reason}"
        mine = Failure(self.rank.number, reason, stopped_by)
        try:
            # A network error may arrive before the report of the rank that caused it.
            if _is_network_error(error) and (failure := self.first_failure(patience=2.0)):
                return failure
            first = self.store.compare_set("failure", "", json.dumps(vars(mine)))
            return Failure(**json.loads(first))
        except RuntimeError:  # the first rank has ended, and the store with it
            return mine if self.rank.first else _STORE_CLOSED

    def first_failure(self, patience: float = 0) -> Failure | None:
        """The first failure of the run, if one is reported within ``patience`` seconds."""
        end = time.monotonic() + patience
        while (failure := _read_failure(self.store)) is None and time.monotonic() < end:
            time.sleep(_POLL)
        return failure

    @contextmanager
    def exit_if_peer_fails(self, before_exit: Callable[[Failure], None]) -> Iterator[None]:
        """End this process if the block goes on for :data:`GRACE` after another rank's failure.

        A rank that waits for others inside of NCCL would wait forever.
        """
        done = threading.Event()
        store = self.store.clone()

        def watch() -> None:
            failure = None
            while failure is None and not done.wait(1.0):
                try:
                    failure = _read_failure(store)
                except RuntimeError:
                    failure = _STORE_CLOSED
            if failure is not None and not done.wait(GRACE):
                before_exit(failure)
                os._exit(1)

        thread = threading.Thread(target=watch, name="watch-ranks", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _read_failure(store: "Store") -> Failure | None:
    return Failure(**json.loads(store.get("failure"))) if store.check(["failure"]) else None


@functools.cache
def rendezvous() -> Rendezvous | None:
    """The rendezvous of this process's run; ``None`` for a run of one process."""
    rank = this_rank()
    return Rendezvous(rank) if rank.started_by else None


@contextmanager
def rank_zero_first() -> Iterator[None]:
    """Run the block on the first rank, then on one rank of each machine, then on all others.

    The others find what these have prepared, such as a download, and do not repeat an error.
    """
    peers = rendezvous()
    if peers is None:
        yield
        return
    rank = peers.rank
    leader = rank.number - rank.local
    if not rank.first:
        peers.wait_for_value(f"prepared/{leader if rank.local else 0}")
    yield
    if rank.local == 0:
        peers.store.set(f"prepared/{leader}", "")


def init_process_group(accelerator: str) -> None:
    """Initialize the process group of several ranks, which Lightning 2.6 then uses.

    Lightning's own would read the addresses of failed ranks after torchrun has started them again:
    it uses one store for all attempts.
    """
    from torch.distributed import PrefixStore, init_process_group

    peers = rendezvous()
    if peers is None or peers.rank.size == 1:
        return
    store = PrefixStore("group", peers.store)
    backend = "nccl" if accelerator == "gpu" else "gloo"
    init_process_group(backend, store=store, rank=peers.rank.number, world_size=peers.rank.size)


def destroy_process_group(*, failed: bool = False) -> None:
    """Destroy the process group: its threads may crash Python at exit."""
    from torch import distributed as dist

    # Not NCCL's after a failure: it would wait for the ranks that have failed.
    if dist.is_initialized() and not (failed and dist.get_backend() == "nccl"):
        dist.destroy_process_group()


@contextmanager
def propagate_errors(
    peers: Rendezvous, before_exit: Callable[[Failure], None] = lambda _: None
) -> Iterator[None]:
    """Report an error to the other ranks, and raise the run's root cause on the first rank.

    When a rank fails, those that wait for it fail too, with errors of the network. The rank that
    failed first prints its error; the others end silently. The first rank gets PeerFailed where
    another one is the cause, every rank Interrupted where one was told to stop.

    Args:
        before_exit: called before this process is ended because it hangs after another's failure.
    """
    try:
        with peers.exit_if_peer_fails(before_exit):
            yield
        destroy_process_group()
    except BaseException as error:
        cause = _root_cause(peers, error)
        destroy_process_group(failed=True)
        if peers.rank.first or isinstance(cause, Interrupted):
            raise cause from (None if cause is error else error)
        raise SystemExit(2 if isinstance(error, UserError) else 1) from error


def _root_cause(peers: Rendezvous, error: BaseException) -> BaseException:
    """The error that ended the run, printed if it is of this rank, and this is not the first."""
    rank = peers.rank
    if isinstance(error, PeerFailed):
        return error
    failure = peers.report_failure(error)
    if failure.rank == rank.number:
        if _is_network_error(error):
            error = RunFailed(
                "lost another rank, which reported no error (killed? out of memory?): "
                f"{one_line(error)}"
            )
        if not rank.first:  # the first rank's is printed by `exit_with`
            _print_error(rank.number, error)
        return error
    if failure.stopped_by is not None:
        is_signal = isinstance(error, _BY_SIGNAL)
        return error if is_signal else Interrupted(failure.stopped_by, failure.reason)
    if isinstance(error, UserError) and rank.first:
        return error  # every rank has found it
    return PeerFailed(str(failure))


def _print_error(rank: int, error: BaseException) -> None:
    if isinstance(error, (UserError, RunFailed)):
        print(f"error: rank {rank}: {one_line(error)}", file=sys.stderr)
    elif not isinstance(error, _BY_SIGNAL):
        traceback.print_exception(error)


def _is_network_error(error: BaseException) -> bool:
    from torch.distributed import DistError

    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error).lower()
    )
