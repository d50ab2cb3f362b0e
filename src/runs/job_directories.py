"""Numbered directories of a sweep's jobs, found by a hash of the jobs' settings.

``job.json`` is written before a job begins and holds its ``key``
(:func:`src.config.run_key.run_key`), by which a repeated sweep finds the directory again, whatever
the order of its jobs.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from src.files import read_json, write_json
from src.process.file_lock import lock_file
from src.runs.directory import RunDirectory

ASIDE = "attempts"
"""Folder of failed attempts of jobs."""


@dataclass(frozen=True)
class Job:
    """A job of a sweep.

    Attributes:
        directory: run directory of the job.
        key: hash of its settings.
        overrides: ``key=value`` words of its command line.
        varying: settings, as ``group.key``, in which the jobs of the sweep differ.
    """

    directory: RunDirectory
    key: str
    overrides: tuple[str, ...]
    varying: tuple[str, ...] = ()


def read_job(directory: RunDirectory) -> Job | None:
    """The job of a directory; ``None`` if it has no ``job.json``."""
    content = read_json(directory.job)
    if "key" not in content:
        return None
    varying = tuple(content.get("varying", ()))
    return Job(directory, content["key"], tuple(content.get("overrides", ())), varying)


def jobs_of(sweep: Path) -> list[Job]:
    """The jobs of a sweep, in the order of their numbers."""
    found = map(read_job, map(RunDirectory, _numbered(sweep)))
    return [job for job in found if job is not None]


def place_job(sweep: Path, key: str, overrides: Iterable[str]) -> Job:
    """:func:`place_jobs` for a single job."""
    return place_jobs(sweep, {key: overrides})[key]


def place_jobs(
    sweep: Path, wanted: Mapping[str, Iterable[str]], varying: Iterable[str] = ()
) -> dict[str, Job]:
    """The jobs with the given keys; makes the directories of those that have none.

    Args:
        wanted: overrides by key.

    Raises:
        OSError: a directory cannot be made.
    """
    with _exclusive(sweep):
        placed = {job.key: job for job in jobs_of(sweep)}
        number = max((int(folder.name) for folder in _numbered(sweep)), default=-1)
        for key in [key for key in wanted if key not in placed]:
            number += 1
            directory = RunDirectory(sweep / str(number))
            placed[key] = Job(directory, key, tuple(wanted[key]), tuple(varying))
            _make(placed[key])
    return {key: placed[key] for key in wanted}


def _make(job: Job) -> None:
    """Make a job's directory and its ``job.json`` in one atomic step."""
    path = job.directory.path
    with tempfile.TemporaryDirectory(prefix=".job-", dir=path.parent) as folder:
        new = RunDirectory(Path(folder) / path.name)
        new.path.mkdir()
        write_json(new.job, {"key": job.key, "overrides": job.overrides, "varying": job.varying})
        new.path.rename(path)


@contextmanager
def _exclusive(sweep: Path) -> Iterator[None]:
    """Let one process at a time make and move directories."""
    with (sweep / ".lock").open("a") as file:
        lock_file(file.fileno(), wait=True)
        yield


def archive_attempt(job: Job) -> Path:
    """Move a job's directory to :data:`ASIDE`, make it anew, and return where the old one is."""
    path = job.directory.path
    aside = path.parent / ASIDE
    with _exclusive(path.parent):
        aside.mkdir(exist_ok=True)
        names = (aside / f"{path.name}-{number}" for number in count(1))
        target = next(name for name in names if not name.exists())
        path.rename(target)
        _make(job)
    return target


def _numbered(sweep: Path) -> list[Path]:
    folders = [item for item in sweep.glob("*") if item.name.isdigit() and item.is_dir()]
    return sorted(folders, key=lambda folder: int(folder.name))
