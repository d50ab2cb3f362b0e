"""Run and sweep directories: the files in a run's, and how new ones are made."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from src.config.compose import parse
from src.errors import UserError

SWEEPS = Path("outputs", "sweep")
"""Folder of the sweeps given by ``sweep=<name>``."""


@dataclass
class RunDirectory:
    """Paths of the files in a run directory."""

    path: Path

    def __post_init__(self) -> None:
        self.record = self.path / "run.json"  # state, command, versions, hardware, times
        self.job = self.path / "job.json"  # in a sweep: key and overrides of the job
        self.lock = self.path / ".lock"  # held by the process that trains
        self.metrics = self.path / "metrics.json"  # the final metrics
        self.rows = self.path / "metrics.csv"  # the logged metrics, a row each step or epoch
        self.config = self.path / ".hydra" / "config.yaml"  # the composed configuration
        self.overrides = self.path / ".hydra" / "overrides.yaml"  # those of the command line
        self.hydra = self.path / ".hydra" / "hydra.yaml"  # Hydra's own, and the chosen options
        self.summary = self.path / "model.txt"  # the network layer by layer
        self.checkpoints = self.path / "checkpoints"
        self.best = self.checkpoints / "best.ckpt"  # weights at the best monitored metric
        self.last = self.checkpoints / "last.ckpt"  # the newest, from which a run is resumed
        self.previous = self.checkpoints / "previous.ckpt"  # the one before the newest

    @property
    def resumable(self) -> list[Path]:
        """The existing checkpoints, in the order in which they are tried for resuming."""
        return [path for path in (self.last, self.previous, self.best) if path.exists()]


def job_folders(sweep: Path) -> list[Path]:
    """The numbered directories of a sweep, in order."""
    folders = [item for item in sweep.glob("*") if item.name.isdecimal() and item.is_dir()]
    return sorted(folders, key=lambda folder: int(folder.name))


def create_run_directory(path: Path, key: str, *, chosen: bool) -> Path:
    """Make the directory of a new run or sweep and return it.

    Args:
        key: setting that names the directory, ``hydra.run.dir`` or ``hydra.sweep.dir``.
        chosen: whether the user named the directory. Otherwise a number is added while it exists:
            runs started in the same second do not share one.
    """
    created, number = path, 1
    while not _make(created, key, may_exist=chosen):
        number += 1
        created = path.with_name(f"{path.name}-{number}")
    _check_unused(created, key)
    return created


def _make(path: Path, key: str, *, may_exist: bool) -> bool:
    """Make a directory that can be written; false if it exists and may not."""
    try:
        path.mkdir(parents=True, exist_ok=may_exist)
        tempfile.TemporaryFile(dir=path).close()
    except FileExistsError as error:
        if path.exists() and not may_exist:
            return False
        raise UserError(f"{key}={path}: not a directory; choose another") from error
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); choose another directory with "
            f"{key}=<directory>"
        ) from error
    return True


def _check_unused(path: Path, key: str) -> None:
    directory = RunDirectory(path)
    problem, way_out = None, "choose another directory"
    if directory.record.exists():
        problem = "already holds a run"
        if directory.resumable:
            way_out = f"continue it with resume={path} or {way_out}"
    elif directory.checkpoints.exists():
        problem = "holds checkpoints of another run"  # the run would take them for its own
    elif job_folders(path) or any(path.glob("*/run.json")):
        problem = "already holds a sweep"
        way_out = f"go on with it by sweep={path} or {way_out}"
    if problem:
        raise UserError(f"{key}={path}: {problem}; {way_out}")


def open_sweep_directory(overrides: list[str], *, multirun: bool, chosen: bool) -> Path | None:
    """The directory of ``sweep=<name or path>``, made if it is missing; ``None`` without one.

    ``chosen``: whether ``hydra.sweep.dir`` is set as well.
    """
    found = next((item for item in parse(overrides) if item.key_or_group == "sweep"), None)
    if found is None or (value := found.value()) is None:
        return None
    # Of a number, as it is written: 007.
    name = value if isinstance(value, str) else str(found.input_line).partition("=")[2]
    path = Path(name).expanduser() if os.sep in name else SWEEPS / name
    contains_all = path.resolve() in (SWEEPS.resolve(), *SWEEPS.resolve().parents)
    problem = None
    if not multirun:
        problem = "one run is no sweep; add -m"
    elif chosen:
        problem = "hydra.sweep.dir says where the sweep is, too; leave one of them out"
    elif found.is_sweep_override() or not name.strip() or contains_all:
        problem = "not a name for a sweep; choose one, as sweep=shortcuts"
    if problem:
        raise UserError(f"sweep={name}: {problem}")
    _make(path, "sweep", may_exist=True)
    if RunDirectory(path).record.exists():
        raise UserError(f"sweep={name}: {path} holds a single run; choose another name")
    return path
