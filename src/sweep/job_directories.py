"""Numbered directories of a sweep's jobs, found by a hash of the jobs' settings.

``job.json`` is written before a job begins. By its ``key`` (:func:`src.config.run_key.run_key`) a
repeated sweep finds the directory again, whatever the order of its jobs. ``overrides`` are the
words of the job's command line, ``varying`` the settings in which the jobs of the sweep differ.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from src.files import read_json, write_json
from src.runs.directory import RunDirectory, job_folders
from src.runs.lock import lock_file

ARCHIVE = "attempts"
"""Folder of failed attempts of jobs."""


def place_jobs(
    sweep: Path, wanted: Mapping[str, Iterable[str]], varying: Iterable[str] = ()
) -> dict[str, RunDirectory]:
    """Make the directories of the jobs, overrides by key, that have none; return all by key."""
    with _exclusive(sweep):
        found = [RunDirectory(folder) for folder in job_folders(sweep)]
        placed = {read_json(job.job).get("key"): job for job in found}
        number = int(found[-1].path.name) if found else -1
        for key, overrides in wanted.items():
            if key not in placed:
                number += 1
                placed[key] = RunDirectory(sweep / str(number))
                content = {"key": key, "overrides": list(overrides), "varying": list(varying)}
                _make(placed[key].path, content)
    return {key: placed[key] for key in wanted}


def _make(path: Path, content: dict[str, Any]) -> None:
    """Make a job's directory and its ``job.json`` in one atomic step."""
    with tempfile.TemporaryDirectory(prefix=".job-", dir=path.parent) as folder:
        new = RunDirectory(Path(folder) / path.name)
        new.path.mkdir()
        write_json(new.job, content)
        new.path.rename(path)


@contextmanager
def _exclusive(sweep: Path) -> Iterator[None]:
    """Let one process at a time make and move directories."""
    with (sweep / ".lock").open("a") as file:
        lock_file(file, wait=True)
        yield


def archive_attempt(job: RunDirectory) -> Path:
    """Move a job's directory to :data:`ARCHIVE`, make it anew, and return where the old one is."""
    path = job.path
    archive = path.parent / ARCHIVE
    with _exclusive(path.parent):
        content = read_json(job.job)
        archive.mkdir(exist_ok=True)
        names = (archive / f"{path.name}-{number}" for number in count(1))
        target = next(name for name in names if not name.exists())
        path.rename(target)
        _make(path, content)
    return target
