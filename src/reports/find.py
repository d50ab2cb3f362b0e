"""Where the runs are: directories that hold one, at or below those that were named."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from src.runs import RunDirectory

DEPTH = 4
"""Levels below a named directory that are looked at: a folder of sweeps of jobs, and two more."""


def find_runs(places: Iterable[Path]) -> dict[str, Path]:
    """The run directories at and below ``places``, each once, in their natural order.

    Nothing inside of a run is taken for another. A numbered directory of a sweep is a run even
    when nothing has been written into it.

    Returns:
        Directories by what tells them apart: their path below the folder they share.

    Raises:
        OSError: a place that cannot be listed.
    """
    found: dict[Path, Path] = {}
    for place in places:
        for path in _below(place, DEPTH):
            found.setdefault(path.resolve(), path)
    if not found:
        return {}
    shared = os.path.commonpath([path.parent for path in found])
    return {os.path.relpath(real, shared): path for real, path in found.items()}


def _below(place: Path, depth: int) -> list[Path]:
    try:
        if _is_run(place):
            return [place]
        folders = [item for item in place.iterdir() if item.is_dir() and item.name[0] != "."]
    except PermissionError:
        if depth == DEPTH:
            raise
        return [place]  # to be listed as unreadable, not left out
    if not depth:
        return []
    return [run for folder in sorted(folders, key=_natural) for run in _below(folder, depth - 1)]


def _is_run(path: Path) -> bool:
    directory = RunDirectory(path)
    if directory.record.exists() or directory.config.exists():
        return True
    return path.name.isdigit() and (path.parent / "multirun.yaml").exists()


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    """So that job 10 comes after job 2."""
    parts = re.findall(r"\d+|\D+", path.name)
    return [(not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts]
