"""Launch the ranks of a run on this machine, and end them together."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from itertools import chain, repeat
from pathlib import Path
from types import FrameType

from src.distributed.ranks import STARTED_BY, usable_cores
from src.errors import RunFailed
from src.files import read_json
from src.process.parent_watch import ParentWatch
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
    lifeline = ParentWatch()
    shared = _environment(directory, count) | lifeline.environment
    ranks = RankProcesses()
    with ranks:
        for number in range(count):
            own = {"RANK": str(number), "LOCAL_RANK": str(number)}
            ranks.start(module, shared | own, lifeline.handles)
        lifeline.begin()
        ranks.wait()
    lifeline.end()
    return _outcome(ranks, RunDirectory(directory))


class RankProcesses:
    """Processes that belong together.

    Attributes:
        processes: by rank.
        failed: the first that ended otherwise than well.
        stopped: whether a signal was passed on.
    """

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self.failed: int | None = None
        self.stopped = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "RankProcesses":
        for number in (signal.SIGINT, signal.SIGTERM):
            if threading.current_thread() is threading.main_thread():
                self._previous[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *error: object) -> None:
        self._send(signal.SIGKILL)
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def start(self, module: str, env: dict[str, str], handles: list[int]) -> None:
        """Start one rank."""
        command = [sys.executable, "-m", module, *sys.argv[1:]]
        # In a group of its own: Ctrl-C in a terminal reaches this process alone, which passes it
        # on once. The rank itself would take a second one for impatience.
        process = subprocess.Popen(command, env=env, pass_fds=handles, process_group=0)
        self.processes.append(process)

    def wait(self) -> None:
        """Until all have ended, soon after the first failure."""
        worse = chain([signal.SIGTERM], repeat(signal.SIGKILL))
        deadline = float("inf")
        while any(process.poll() is None for process in self.processes):
            if self.failed is None:
                self.failed = self._first_failure()
                if self.failed is not None:
                    deadline = time.monotonic() + _PATIENCE
            elif time.monotonic() > deadline:
                self._send(next(worse))
                deadline = time.monotonic() + _PATIENCE
            time.sleep(_POLL)
        if self.failed is None:
            self.failed = self._first_failure()

    def _first_failure(self) -> int | None:
        codes = [process.poll() for process in self.processes]
        # Of several at once, one that was killed is the cause.
        bad = [number for number, code in enumerate(codes) if code]
        return min(bad, key=lambda number: (codes[number] or 0) > 0, default=None)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True
        self._send(number)

    def _send(self, number: int) -> None:
        for process in self.processes:
            process.send_signal(number)  # nothing, if it has ended


def _outcome(ranks: RankProcesses, directory: RunDirectory) -> int:
    """The exit code; what no rank could write down is added to the record."""
    codes = [process.returncode for process in ranks.processes]
    if ranks.failed is None:
        return 0
    code = codes[ranks.failed]
    content = read_json(directory.record)
    running = content.get("state") == "running"
    if code < 0 and not ranks.stopped:
        reason = f"rank {ranks.failed} was killed by {signal.Signals(-code).name}"
        reason += " (out of memory?)" if -code == signal.SIGKILL else ""
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
