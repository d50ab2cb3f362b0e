"""Launcher of a run's ranks on this machine."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

from src.distributed.ranks import STARTED_BY, usable_cores
from src.errors import RunFailed
from src.files import read_json
from src.process.child import Process, project_on_python_path, send_signal, start_python
from src.process.signals import handle_signals
from src.runs.directory import RunDirectory
from src.runs.record import close_record

DIRECTORY_VARIABLE = "LIGHTNING_HYDRA_RUN_DIRECTORY"
"""Environment variable with the run directory: its name holds the time, which ranks read apart."""

_LOOPBACK = {"linux": "lo", "darwin": "lo0"}

_POLL = 0.1  # seconds between two looks at the ranks
_PATIENCE = 15.0  # seconds from a failure until the other ranks are terminated, then until killed


def launch_ranks(module: str, directory: Path, count: int) -> int:
    """Run this command line as ``count`` ranks of ``python -m <module>``; return its exit code.

    When one fails the others are ended; a signal is passed on to each. When this function ends, so
    have they. Raises RunFailed if one was killed.
    """
    shared = _environment(directory, count)
    ranks: list[Process] = []
    signals: list[int] = []

    def pass_on(received: int) -> None:
        signals.append(received)
        for process in ranks:
            send_signal(process, received)

    with handle_signals(pass_on):
        try:
            for rank in range(count):
                own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                arguments = ["-m", module, *sys.argv[1:]]
                ranks.append(start_python(arguments, shared | own))
            failed = _wait(ranks)
        finally:
            for process in ranks:
                process.kill()
                process.wait()
    if failed is None:
        return 0
    code = ranks[failed].returncode
    _close_record(RunDirectory(directory), failed, code, stopped=bool(signals))
    # The first rank learns of the others' failures: if it exited by itself (a positive code), its
    # code is that of the root cause.
    first = ranks[0].returncode
    code = first if first > 0 else code
    return code if code > 0 else 128 - code  # as a shell reports a signal


def _wait(ranks: list[Process]) -> int | None:
    """Wait until all ranks have ended; return the number of the first that failed, if one did.

    Those that still run some time after the failure are terminated.
    """
    failed = None
    while failed is None and not _all_end_within(_POLL, ranks):
        failed = _failed_rank(ranks)
    if not _all_end_within(_PATIENCE, ranks):
        for process in ranks:
            send_signal(process, signal.SIGTERM)
        _all_end_within(_PATIENCE, ranks)
    # All may have ended between two looks.
    return _failed_rank(ranks) if failed is None else failed


def _all_end_within(seconds: float, ranks: list[Process]) -> bool:
    """Wait until all ranks have ended, at most so long; return whether they have."""
    deadline = time.monotonic() + seconds
    while any(process.poll() is None for process in ranks):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True


def _failed_rank(ranks: list[Process]) -> int | None:
    """Number of a rank that has failed; of several, one that was killed if there is any."""
    codes = [process.poll() or 0 for process in ranks]
    killed = [rank for rank, code in enumerate(codes) if code < 0]  # the others fail without it
    failed = [rank for rank, code in enumerate(codes) if code > 0]
    return next(iter(killed + failed), None)


def _close_record(directory: RunDirectory, rank: int, code: int, *, stopped: bool) -> None:
    """Close the run's record if no rank could; raise RunFailed if the rank was killed."""
    killed = code < 0 and not stopped
    reason = f"rank {rank} ended with code {code}"
    if killed:
        name = signal.Signals(-code).name
        reason = f"rank {rank} was killed by {name}"
        reason += " (out of memory?)" if name == "SIGKILL" else ""
    content = read_json(directory.record)
    if content and (killed or content.get("state") == "running"):
        close_record(directory, "interrupted" if stopped else "failed", reason)
    if killed:
        raise RunFailed(reason)


def _environment(directory: Path, count: int) -> dict[str, str]:
    """The environment variables that all ranks share."""
    defaults = {"OMP_NUM_THREADS": str(max(usable_cores() // count, 1))}
    # Ranks of one machine use the loopback device: its host name may not resolve.
    if sys.platform in _LOOPBACK:
        defaults["GLOO_SOCKET_IFNAME"] = _LOOPBACK[sys.platform]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free_port = probe.getsockname()[1]
    run = {
        STARTED_BY: "command",
        DIRECTORY_VARIABLE: str(directory),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port),
    }
    return defaults | os.environ | project_on_python_path() | run
