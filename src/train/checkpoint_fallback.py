"""Checkpoint to resume from; an older one where the newest is damaged."""

import logging
from itertools import chain, count
from pathlib import Path

from src.errors import UserError, one_line
from src.runs.directory import RunDirectory
from src.training.checkpoint import (
    AtomicCheckpointIO,
    CheckpointError,
    check_resumable,
    put_in_place,
)

log = logging.getLogger(__name__)


def find_usable_checkpoint(directory: RunDirectory) -> Path | None:
    """``last.ckpt`` of a run, or ``None`` where nothing has been saved yet.

    Where it is damaged or missing, the newest of the other checkpoints takes its place; the damaged
    file stays beside it as ``last.ckpt.damaged``.
    """
    steps: dict[Path, int] = {}
    problems = []
    for path in directory.states:
        try:
            checkpoint = AtomicCheckpointIO().load_checkpoint(path)
            check_resumable(path, checkpoint)
            steps[path] = int(checkpoint["global_step"])
        except CheckpointError as error:
            problems.append(one_line(error))
        except OSError as error:
            # A file without read permission may be whole: no older one takes its place.
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        if directory.last in steps:
            return directory.last
    if not steps:
        if problems:
            raise UserError(f"nothing to continue from: {'; '.join(problems)}")
        return None
    chosen = max(steps, key=lambda path: steps[path])
    reason = "; ".join(problems) or f"{directory.last} is gone"
    log.warning("%s; going on from %s, of step %d", reason, chosen.name, steps[chosen])
    if directory.last.exists():
        directory.last.replace(_unused_name(directory.last.with_name("last.ckpt.damaged")))
    put_in_place(chosen, directory.last)
    return directory.last


def _unused_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.{number}") for number in count(2))
    return next(name for name in chain([path], names) if not name.exists())
