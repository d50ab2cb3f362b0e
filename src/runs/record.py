"""``run.json``: command, commit, hardware, times and state of a run."""

import os
import platform
import shlex
import sys
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from src.files import read_json, write_json
from src.process.child import output_of
from src.runs.directory import RunDirectory

PACKAGES = ("torch", "torchvision", "lightning", "hydra-core", "opencv-python-headless", "numpy")


class RunRecord:
    """The record of a run, written to disk at every change.

    ``state`` is ``running``, ``finished``, ``failed``, ``interrupted`` or ``killed``, which a sweep
    writes. That of a run that was killed otherwise stays ``running``.
    """

    def __init__(self, directory: RunDirectory, content: dict[str, Any], *, begun: bool = True):
        self.directory = directory
        self.content = content
        self.begun = begun

    def begin(self) -> None:
        """Begin to write the record; that of a resumed run stays as it was until it trains."""
        self.begun = True
        self.update()

    def update(self, **fields: Any) -> None:
        """Set fields, and write the file if the run has begun."""
        self.content.update(fields)
        if self.begun:
            write_json(self.directory.record, self.content)

    def close(self, state: str, reason: str | None = None) -> None:
        """Write the final state, and the checkpoint from which the run can be resumed."""
        saved = next((f"checkpoints/{path.name}" for path in self.directory.states), None)
        self.update(state=state, reason=reason, checkpoint=saved, finished=_now())


def open_record(directory: RunDirectory, *, seed: int, resumed: bool) -> RunRecord:
    """Write the record of a new run, or prepare that of a resumed one.

    Raises:
        FileExistsError: the directory already holds a run, and ``resumed`` is false.
        ValueError: the old record cannot be read.
    """
    before = read_record(directory)
    if before and not resumed:
        raise FileExistsError(
            f"{directory.path} already holds a run; continue it with resume={directory.path} "
            "or choose another directory with hydra.run.dir=<directory>"
        )
    content = {
        "state": "running",
        "reason": None,
        "command": command_line(),
        "seed": seed,
        **_commit(),
        "versions": _versions(),
        "hardware": _hardware(),
        "started": _now(),
        "finished": None,
    }
    if resumed:
        this_time = {key: content[key] for key in ("command", "started", "commit")}
        kept = {key: before[key] for key in (*this_time, "data") if key in before}
        content |= kept | {"resumed": [*before.get("resumed", []), this_time]}
    record = RunRecord(directory, content, begun=not resumed)
    record.update()
    return record


def read_record(directory: RunDirectory) -> dict[str, Any]:
    """The fields of a run's record; none if there is no run.

    Raises:
        ValueError: the record cannot be read.
    """
    content = read_json(directory.record)
    for name, kind in (("data", dict), ("resumed", list)):
        if not isinstance(content.get(name, kind()), kind):
            raise ValueError(f"{directory.record}: {name} is not a {kind.__name__}")
    return content


def close_record(directory: RunDirectory, state: str, reason: str) -> None:
    """Write the final state of a run whose process could not."""
    RunRecord(directory, read_json(directory.record)).close(state, reason)


_command: list[str] | None = None


def remember_command(module: str, arguments: list[str]) -> None:
    """Keep the command line as typed, for :func:`command_line`.

    ``hydra.run.dir`` is left out, so that the same command makes a run of its own.
    """
    global _command
    kept = [word for word in arguments if not word.startswith("hydra.run.dir=")]
    _command = [f"src.{module}", *kept]


def command_line() -> str:
    """The command as it can be typed again in the project's root."""
    return shlex.join(["python", "-m", *(_command or ["src.train", *sys.argv[1:]])])


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _commit() -> dict[str, Any]:
    """The commit of the code and whether tracked files differ from it; nulls outside of git."""
    root = str(Path(__file__).resolve().parents[2])
    commit = output_of("git", "-C", root, "rev-parse", "HEAD")
    changed = bool(output_of("git", "-C", root, "status", "--porcelain", "--untracked-files=no"))
    return {"commit": commit or None, "uncommitted_changes": changed if commit else None}


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _hardware() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
    }


def _memory_gib() -> float | None:
    if not hasattr(os, "sysconf"):  # Windows
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
