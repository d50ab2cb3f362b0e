"""Launch the ranks of a run on this machine, and end them together."""

import os
import signal
import socket
import sys
import time
from itertools import chain, repeat
from pathlib import Path
from subprocess import Popen

from src.distributed.ranks import STARTED_BY, usable_cores
from src.errors import RunFailed
from src.files import read_json
from src.process.child import send_signal, start_python
from src.process.parent_watch import ParentWatch
from src.process.signals import handle_signals
from src.runs.directory import RunDirectory
from src.runs.record import RunRecord

DIRECTORY = "LIGHTNING_HYDRA_RUN_DIRECTORY"
"""Where the ranks put the run: decided once, for each of them would read another clock."""

_ROOT = Path(__file__).resolve().parents[2]
_LOOPBACK = {"linux": "lo", "darwin": "lo0"}

_POLL = 0.1
_PATIENCE = 15.0
"""Seconds until ranks that go on after one has failed are told to stop, and again until killed."""


def launch_ranks(module: str, directory: Path, count: int) -> int:
    """Run this command line as ``count`` ranks and return the exit code of the run.

    When one fails the others are ended; a signal is passed on to each; none outlives this process.

    Args:
        module: the entry point, as ``python -m`` takes it.
        directory: that of the run.
        count: how many ranks, at least 2.

    Raises:
        RunFailed: a rank was killed, and could not say itself why the run ended.
    """
    watch = ParentWatch()
    shared = _environment(directory, count)
    ranks = RankProcesses()
    with handle_signals(ranks.pass_on):
        try:
            for number in range(count):
                own = {"RANK": str(number), "LOCAL_RANK": str(number)}
                words = ["-m", module, *sys.argv[1:]]
                ranks.processes.append(start_python(words, shared | own, watch))
            watch.begin()
            ranks.wait()
        finally:
            ranks.kill()
    watch.end()
    return _outcome(ranks, RunDirectory(directory))


class RankProcesses:
    """The ranks of a run on this machine, as child processes.

    Attributes:
        processes: by rank.
        failed: the first that ended otherwise than well.
        stopped: whether a signal was passed on.
    """

    def __init__(self) -> None:
        self.processes: list[Popen[bytes]] = []
        self.failed: int | None = None
        self.stopped = False

    def wait(self) -> None:
        """Until all have ended, soon after the first failure."""
        worse = chain([lambda: self.send(signal.SIGTERM)], repeat(self.kill))
        deadline = float("inf")
        while any(process.poll() is None for process in self.processes):
            if self.failed is None:
                self.failed = self._first_failure()
                if self.failed is not None:
                    deadline = time.monotonic() + _PATIENCE
            elif time.monotonic() > deadline:
                next(worse)()
                deadline = time.monotonic() + _PATIENCE
            time.sleep(_POLL)
        if self.failed is None:
            self.failed = self._first_failure()

    def _first_failure(self) -> int | None:
        codes = [process.poll() for process in self.processes]
        # Of several at once, one that was killed is the cause.
        bad = [number for number, code in enumerate(codes) if code]
        return min(bad, key=lambda number: (codes[number] or 0) > 0, default=None)

    def pass_on(self, number: int) -> None:
        """Send a signal that this process received to every rank."""
        self.stopped = True
        self.send(number)

    def send(self, number: int) -> None:
        """Send a signal to every rank."""
        for process in self.processes:
            send_signal(process, number)  # nothing, if it has ended

    def kill(self) -> None:
        """End every rank at once."""
        for process in self.processes:
            process.kill()


def _outcome(ranks: RankProcesses, directory: RunDirectory) -> int:
    """The exit code; what no rank could write down is added to the record."""
    codes = [process.returncode for process in ranks.processes]
    if ranks.failed is None:
        return 0
    code = codes[ranks.failed]
    content = read_json(directory.record)
    running = content.get("state") == "running"
    if code < 0 and not ranks.stopped:
        name = signal.Signals(-code).name
        reason = f"rank {ranks.failed} was killed by {name}"
        reason += " (out of memory?)" if name == "SIGKILL" else ""
    else:
        reason = f"rank {ranks.failed} ended with code {code}"
    if content and (running or (code < 0 and not ranks.stopped)):
        RunRecord(directory, content).close("interrupted" if ranks.stopped else "failed", reason)
    if code < 0 and not ranks.stopped:
        raise RunFailed(reason)
    # The first rank speaks for the run where it could.
    code = codes[0] if codes[0] > 0 else code
    return code if code > 0 else 128 - code


def _environment(directory: Path, count: int) -> dict[str, str]:
    """What all ranks find in their environment."""
    env = dict(os.environ)
    # One machine needs no network: not even a host name that can be looked up.
    if sys.platform in _LOOPBACK:
        env.setdefault("GLOO_SOCKET_IFNAME", _LOOPBACK[sys.platform])
    env.setdefault("OMP_NUM_THREADS", str(max(usable_cores() // count, 1)))
    paths = [str(_ROOT), *filter(None, [env.get("PYTHONPATH")])]
    return env | {
        STARTED_BY: "command",
        DIRECTORY: str(directory),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "PYTHONPATH": os.pathsep.join(paths),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
