"""The directory of a run: fixed once, before anything is written, and never shared."""

import os
from pathlib import Path

from src.config import UserError
from src.runs import RunDirectory


def claim(path: Path, *, chosen: bool) -> Path:
    """Make the directory of a new run and return it.

    Args:
        path: the directory asked for.
        chosen: whether the user named it. Otherwise a number is added while it is taken, so
            that runs started in the same second do not share one.

    Raises:
        UserError: the directory already holds a run, or cannot be made or written.
    """
    for candidate in [path] if chosen else [path, *_numbered(path)]:
        try:
            candidate.mkdir(parents=True, exist_ok=chosen)
            probe = candidate / ".writable"
            probe.touch()
            probe.unlink()
        except FileExistsError as error:
            if chosen:
                raise UserError(f"hydra.run.dir={path}: not a directory") from error
            continue
        except OSError as error:
            raise UserError(
                f"{candidate}: cannot be written ({error.strerror}); choose another directory "
                "with hydra.run.dir=<directory>"
            ) from error
        if RunDirectory(candidate).record.exists():
            raise UserError(
                f"hydra.run.dir={path}: already holds a run; continue it with resume={path} "
                "or choose another directory"
            )
        return candidate
    raise UserError(f"{path}: taken, and so are the next names; try again in a second")


def _numbered(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}-{number}") for number in range(2, 100)]


def hydra_override(key: str, value: str) -> str:
    """``key=value`` with the value quoted for Hydra's grammar."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{escaped}'"


def is_worker() -> bool:
    """Whether this is a further process of a run on several devices."""
    return int(os.environ.get("LOCAL_RANK", 0)) > 0
