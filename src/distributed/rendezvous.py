"""Coordination of ranks outside of training, over torch.distributed's key-value store.

Waiting is polling: a blocking call of the store would delay the handling of signals.
"""

import functools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from src.distributed.ranks import Rank, this_rank
from src.errors import RunFailed, UserError

if TYPE_CHECKING:
    from torch.distributed import Store

GRACE = 5.0
"""Seconds that a rank has to end by itself after another one has failed."""

_POLL = 0.05
_JOIN = timedelta(minutes=10)


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
            self.report_failure(str(error))
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

    def report_failure(self, reason: str, stopped_by: int | None = None) -> Failure:
        """Report the failure of this rank and return the first failure of the run."""
        mine = Failure(self.rank.number, reason, stopped_by)
        try:
            if self.store.add("failures", 1) == 1:
                self.store.set("failure", json.dumps(vars(mine)))
                return mine
            return self.first_failure(patience=GRACE) or mine
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
