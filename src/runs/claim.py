"""Create the directory of a new run or sweep, which no other run shares."""

import os
from pathlib import Path

from src.config.compose import parse
from src.errors import UserError
from src.runs.directory import RunDirectory
from src.runs.reader import read_runs

SWEEPS = Path("outputs", "sweep")
"""Where sweeps are that a name alone is given of."""


def create_run_directory(path: Path, key: str, *, chosen: bool) -> Path:
    """Make the directory of a new run or sweep and return it.

    Args:
        path: the directory asked for.
        key: the setting that names it: ``hydra.run.dir`` or ``hydra.sweep.dir``.
        chosen: whether the user named it. Otherwise a number is added while it is taken, so
            that what is started in the same second does not share one.

    Raises:
        UserError: the directory already holds a run or a sweep, or cannot be made or written.
    """
    for candidate in [path] if chosen else [path, *_numbered(path)]:
        try:
            candidate.mkdir(parents=True, exist_ok=chosen)
            _check_writable(candidate)
        except FileExistsError as error:
            if chosen:
                raise UserError(f"{key}={path}: not a directory") from error
            continue
        except OSError as error:
            raise UserError(
                f"{candidate}: cannot be written ({error.strerror}); choose another directory "
                f"with {key}=<directory>"
            ) from error
        if RunDirectory(candidate).record.exists():
            resumable = bool(RunDirectory(candidate).states)
            way_out = f"continue it with resume={path} or choose" if resumable else "choose"
            raise UserError(f"{key}={path}: already holds a run; {way_out} another directory")
        if RunDirectory(candidate).checkpoints.exists():
            # The test at the end would not know them from the run's own.
            raise UserError(f"{key}={path}: holds checkpoints of another run; choose another")
        if read_runs(candidate):
            raise UserError(
                f"{key}={path}: already holds a sweep; go on with it by sweep={path}, or choose "
                "another directory"
            )
        return candidate
    raise UserError(f"{path}: taken, and so are the next names; try again in a second")


def open_sweep_directory(overrides: list[str], *, multirun: bool, chosen: bool) -> Path | None:
    """The directory of the sweep that ``sweep=<name>`` names, made if there is none yet.

    Args:
        overrides: the command line's ``key=value`` words; ``name`` is that of a directory in
            ``outputs/sweep``, or the path of another.
        multirun: whether they are a sweep's.
        chosen: whether they name a directory besides.

    Returns:
        ``None`` where no name is given.

    Raises:
        UserError: it is no name, no sweep's command line, or the directory cannot be made or
            written or holds something else.
    """
    word = next((item for item in parse(overrides) if item.key_or_group == "sweep"), None)
    if word is None or (value := word.value()) is None:
        return None
    # A number is meant as it is written.
    name = value if isinstance(value, str) else str(word.input_line).partition("=")[2]
    if not multirun:
        raise UserError(f"sweep={name}: one run is no sweep; add -m")
    if chosen:
        raise UserError(f"sweep={name} and hydra.sweep.dir both say where the sweep is: leave one")
    path = Path(name).expanduser() if os.sep in name else SWEEPS / name
    inside = path.resolve() in (SWEEPS.resolve(), *SWEEPS.resolve().parents)
    if word.is_sweep_override() or not name.strip() or inside:
        raise UserError(f"sweep={name}: not a name; one for the sweep, such as sweep=shortcuts")
    try:
        path.mkdir(parents=True, exist_ok=True)
        _check_writable(path)
    except OSError as error:
        raise UserError(f"sweep={name}: {path} cannot be written ({error.strerror})") from error
    if RunDirectory(path).record.exists():
        raise UserError(f"sweep={name}: {path} holds a single run")
    return path


def _check_writable(path: Path) -> None:
    probe = path / ".writable"
    probe.touch()
    probe.unlink()


def _numbered(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}-{number}") for number in range(2, 100)]
