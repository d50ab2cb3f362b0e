"""``run.json``: command, commit, hardware, times and state of a run."""

import os
import platform
import shlex
import sys
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from src.files import read_json, write_json
from src.process.child import output_of
from src.runs.directory import RunDirectory

PACKAGES = ("torch", "torchvision", "lightning", "hydra-core", "opencv-python-headless", "numpy")


@dataclass
class RunRecord:
    """The record of a run, written to disk at every change.

    ``state`` is ``running``, ``finished``, ``failed``, ``interrupted`` or ``killed``, which a sweep
    writes. That of a run that was killed otherwise stays ``running``.
    """

    directory: RunDirectory
    content: dict[str, Any]
    begun: bool = True

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
        saved = next((f"checkpoints/{path.name}" for path in self.directory.resumable), None)
        self.update(state=state, reason=reason, checkpoint=saved, finished=_now())


def open_record(directory: RunDirectory, *, seed: int, resumed: bool) -> RunRecord:
    """The record of a new run, or of a resumed one, to be written at its first update."""
    before = read_record(directory)
    if before and not resumed:
        raise FileExistsError(f"hydra.run.dir={directory.path}: already holds a run")
    content = {
        "state": "running",
        "reason": None,
        "command": command_line(),
        "seed": seed,
        **_commit(),
        "versions": {name: _version(name) for name in ("python", *PACKAGES)},
        "hardware": _hardware(),
        "started": _now(),
        "finished": None,
    }
    if resumed:
        this_time = {key: content[key] for key in ("command", "started", "commit")}
        kept = {key: before[key] for key in (*this_time, "data") if key in before}
        content |= kept | {"resumed": [*before.get("resumed", []), this_time]}
    return RunRecord(directory, content, begun=not resumed)


def read_record(directory: RunDirectory) -> dict[str, Any]:
    """The fields of a run's record; none if there is no run."""
    content = read_json(directory.record)
    for name, kind in (("data", dict), ("resumed", list)):
        if not isinstance(content.get(name, kind()), kind):
            raise ValueError(f"{directory.record}: {name} is not a {kind.__name__}")
    return content


def close_record(directory: RunDirectory, state: str, reason: str) -> None:
    """Write the final state of a run whose process could not."""
    RunRecord(directory, read_json(directory.record)).close(state, reason)


def command_line() -> str:
    """The command as it can be typed again in the project's root.

    ``hydra.run.dir`` is left out, so that it makes a run of its own.
    """
    program, *words = sys.argv
    # Of `python -m src.train`: …/src/train/__main__.py
    module = Path(program).parent.name if Path(program).name == "__main__.py" else "train"
    words = [word for word in words if not word.startswith("hydra.run.dir=")]
    return shlex.join(["python", "-m", f"src.{module}", *words])


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _commit() -> dict[str, Any]:
    """The commit of the code and whether tracked files differ from it; nulls outside of git."""
    root = str(Path(__file__).resolve().parents[2])
    commit = output_of("git", "-C", root, "rev-parse", "HEAD")
    changed = bool(output_of("git", "-C", root, "status", "--porcelain", "--untracked-files=no"))
    return {"commit": commit or None, "uncommitted_changes": changed if commit else None}


def _version(name: str) -> str | None:
    try:
        return platform.python_version() if name == "python" else version(name)
    except PackageNotFoundError:
        return None


def _hardware() -> dict[str, Any]:
    memory = None
    if hasattr(os, "sysconf"):  # not on Windows
        memory = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gib": memory,
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
