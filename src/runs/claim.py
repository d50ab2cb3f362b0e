"""Creation of run and sweep directories, none of which two runs share."""

import os
from pathlib import Path

from src.config.compose import parse
from src.errors import UserError
from src.runs.directory import RunDirectory
from src.runs.reader import read_runs

SWEEPS = Path("outputs", "sweep")
"""Folder of the sweeps given by ``sweep=<name>``."""


def create_run_directory(path: Path, key: str, *, chosen: bool) -> Path:
    """Make the directory of a new run or sweep and return it.

    Args:
        key: setting that names the directory, ``hydra.run.dir`` or ``hydra.sweep.dir``.
        chosen: whether the user named the directory. Otherwise a number is added while it exists:
            runs started in the same second do not share one.
    """
    numbered = [path.with_name(f"{path.name}-{number}") for number in range(2, 100)]
    for candidate in [path] if chosen else [path, *numbered]:
        try:
            candidate.mkdir(parents=True, exist_ok=chosen)
            _check_writable(candidate)
        except FileExistsError as error:
            if chosen:
                raise UserError(f"{key}={path}: not a directory; choose another") from error
        except OSError as error:
            raise UserError(
                f"{candidate}: cannot be written ({error.strerror}); choose another directory "
                f"with {key}=<directory>"
            ) from error
        else:
            _check_unused(candidate, key)
            return candidate
    raise UserError(
        f"{path}: exists, and so do {path.name}-2 to {path.name}-99; choose another directory with "
        f"{key}=<directory>"
    )


def _check_writable(path: Path) -> None:
    probe = path / ".writable"
    probe.touch()
    probe.unlink()


def _check_unused(path: Path, key: str) -> None:
    directory = RunDirectory(path)
    problem, way_out = None, "choose another directory"
    if directory.record.exists():
        problem = "already holds a run"
        if directory.states:
            way_out = f"continue it with resume={path} or {way_out}"
    elif directory.checkpoints.exists():
        problem = "holds checkpoints of another run"  # the run would take them for its own
    elif read_runs(path):
        problem = "already holds a sweep"
        way_out = f"go on with it by sweep={path} or {way_out}"
    if problem:
        raise UserError(f"{key}={path}: {problem}; {way_out}")


def open_sweep_directory(overrides: list[str], *, multirun: bool, chosen: bool) -> Path | None:
    """The directory of ``sweep=<name or path>``, made if it is missing; ``None`` without one.

    Args:
        chosen: whether ``hydra.sweep.dir`` is set as well.
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
    try:
        path.mkdir(parents=True, exist_ok=True)
        _check_writable(path)
    except OSError as error:
        raise UserError(f"sweep={name}: {path} cannot be written ({error.strerror})") from error
    if RunDirectory(path).record.exists():
        raise UserError(f"sweep={name}: {path} holds a single run; choose another name")
    return path
