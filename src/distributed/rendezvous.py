"""Rendezvous of ranks: values agreed on, turns, failures, by torch.distributed's key-value store.

Nothing here waits inside of a library call, so that a signal is always heard.
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
"""Seconds in which a rank may notice by itself that another one has failed."""

_POLL = 0.05
_JOIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Failure:
    """How the first rank that failed did so.

    Attributes:
        rank: its number.
        reason: one line.
        stopped_by: the signal that stopped it, if that is why.
    """

    rank: int
    reason: str
    stopped_by: int | None = None

    def __str__(self) -> str:
        """The rank and the reason."""
        return f"rank {self.rank}: {self.reason}"


class PeerFailed(RunFailed):
    """A run that ends because another of its ranks has failed and said so."""


class Rendezvous:
    """The store of a run's ranks, which is there until its first rank has ended."""

    def __init__(self, rank: Rank):
        """Wait for all ranks to come.

        Raises:
            UserError: they do not.
        """
        from torch.distributed import DistError, PrefixStore
        from torch.distributed.rendezvous import rendezvous

        self.rank = rank
        try:
            self.run, _, _ = next(iter(rendezvous("env://", timeout=_JOIN)))
        except (DistError, ValueError) as error:
            where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
            raise UserError(
                f"the {rank.size} processes did not come together at {where}: "
                f"{str(error).splitlines()[0]}"
            ) from error
        # torchrun's store outlives the ranks that it starts again; so do their failures in it.
        self.store: Store = PrefixStore(f"attempt-{rank.attempt}", self.run)

    def broadcast_value(self, key: str, decide: Callable[[], str]) -> str:
        """What the first rank decides, on every rank.

        Raises:
            PeerFailed: it failed to.
        """
        if not self.rank.first:
            return self.wait_for_value(key)
        value = decide()
        self.store.set(key, value)
        return value

    def wait_for_value(self, key: str) -> str:
        """Wait for what another rank says.

        Raises:
            PeerFailed: a rank has failed meanwhile.
        """
        while not self.store.check([key]):
            if failure := self.first_failure():
                raise PeerFailed(str(failure))
            time.sleep(_POLL)
        return self.store.get(key).decode()

    def report_failure(self, reason: str, stopped_by: int | None = None) -> Failure:
        """Say that this rank has failed.

        Returns:
            The first failure of the run, which may be another's.
        """
        mine = Failure(self.rank.number, reason, stopped_by)
        try:
            if self.store.add("failures", 1) == 1:
                self.store.set("failure", json.dumps(vars(mine)))
                return mine
            return self.first_failure(patience=GRACE) or mine
        except RuntimeError:
            # The first rank has left, and its store with it.
            return mine if self.rank.first else Failure(0, "has left")

    def first_failure(self, patience: float = 0) -> Failure | None:
        """The first failure, if there is one within ``patience`` seconds."""
        end = time.monotonic() + patience
        while not self.store.check(["failure"]):
            if time.monotonic() >= end:
                return None
            time.sleep(_POLL)
        return Failure(**json.loads(self.store.get("failure")))

    @contextmanager
    def rank_zero_first(self) -> Iterator[None]:
        """Let the first rank do something before all others, and one rank of each machine next.

        What they prepare, such as a download, is then there for the others, and what is wrong
        everywhere is said by the first.

        Raises:
            PeerFailed: a rank that this one waits for has failed.
        """
        leader = self.rank.number - self.rank.local
        if not self.rank.first:
            self.wait_for_value(f"prepared/{leader if self.rank.local else 0}")
        yield
        if self.rank.local == 0:
            self.store.set(f"prepared/{leader}", "")

    @contextmanager
    def exit_if_peer_fails(self, give_up: Callable[[Failure], None]) -> Iterator[None]:
        """End this process when another rank has failed and it does not notice.

        A rank that waits for the others inside of NCCL waits for ever.

        Args:
            give_up: called some seconds after the failure, before the process ends.
        """
        done = threading.Event()
        store = self.store.clone()

        def watch() -> None:
            while not done.wait(1.0):
                try:
                    found = store.check(["failure"]) and Failure(**json.loads(store.get("failure")))
                except RuntimeError:
                    found = Failure(0, "has left")
                if found:
                    if not done.wait(GRACE):
                        give_up(found)
                        os._exit(1)
                    return

        thread = threading.Thread(target=watch, name="watch-ranks", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@functools.cache
def _rendezvous(rank: Rank) -> Rendezvous:
    return Rendezvous(rank)


def rendezvous() -> Rendezvous | None:
    """The rendezvous of this process's run; ``None`` for a process of its own."""
    rank = this_rank()
    return _rendezvous(rank) if rank.started_by else None


@contextmanager
def rank_zero_first() -> Iterator[None]:
    """Let the first rank do something before all others, where there are several."""
    if (met := rendezvous()) is None:
        yield
        return
    with met.rank_zero_first():
        yield


def init_process_group(accelerator: str) -> None:
    """Make the process group of several ranks, which Lightning then finds.

    Lightning's own would find the addresses of ranks that have failed, where torchrun has started
    them again: it keeps one store for all attempts.

    Args:
        accelerator: ``cpu`` computes sums over ranks with gloo, ``gpu`` with NCCL.
    """
    from torch.distributed import PrefixStore, init_process_group

    met = rendezvous()
    if met is None or met.rank.size == 1:
        return
    store = PrefixStore("group", met.store)
    backend = "nccl" if accelerator == "gpu" else "gloo"
    init_process_group(backend, store=store, rank=met.rank.number, world_size=met.rank.size)


def destroy_process_group(*, failed: bool = False) -> None:
    """Leave the process groups: Python may crash at its end if they still work."""
    from torch import distributed as dist

    # NCCL would wait for ranks that have failed.
    if dist.is_initialized() and not (failed and dist.get_backend() == "nccl"):
        dist.destroy_process_group()
