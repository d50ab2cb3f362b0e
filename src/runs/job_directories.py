"""The jobs of a sweep: a numbered directory each, known by what is run in it.

``job.json`` stands in a job's directory from before it begins, and says by its ``key``
(:func:`src.config.run_key.run_key`) which settings the directory is for. A sweep that is repeated
finds its jobs by that, however they are numbered this time.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from src.files import read_json, write_json
from src.process.file_lock import lock_file
from src.runs.directory import RunDirectory

ASIDE = "attempts"
"""Where the directories of attempts go that are not continued."""


@dataclass(frozen=True)
class Job:
    """A job of a sweep.

    Attributes:
        directory: where it is run.
        key: what its settings hash to.
        overrides: what tells it from the defaults, words of a command line.
        varying: settings, as ``group.key``, in which the jobs of its sweep differ.
    """

    directory: RunDirectory
    key: str
    overrides: tuple[str, ...]
    varying: tuple[str, ...] = ()

    def write(self) -> None:
        """Write ``job.json``.

        Raises:
            OSError: it cannot be written.
        """
        content = {"key": self.key, "overrides": self.overrides, "varying": self.varying}
        write_json(self.directory.job, content)


def read_job(directory: RunDirectory) -> Job | None:
    """The job a directory was made for, or ``None``."""
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
    """The job of a sweep that has these settings; a new directory where there is none yet.

    Raises:
        OSError: the directory cannot be made.
    """
    return place_jobs(sweep, {key: overrides})[key]


def place_jobs(
    sweep: Path, wanted: Mapping[str, Iterable[str]], varying: Iterable[str] = ()
) -> dict[str, Job]:
    """The jobs of a sweep that have these settings, new directories for those without one.

    Args:
        sweep: the sweep's directory.
        wanted: the overrides of each job by its key.
        varying: settings in which they differ.

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
    """Make a job's directory, with what it is for in it from the first moment."""
    path = job.directory.path
    with tempfile.TemporaryDirectory(prefix=".job-", dir=path.parent) as folder:
        new = Path(folder) / path.name
        new.mkdir()
        replace(job, directory=RunDirectory(new)).write()
        new.rename(path)


@contextmanager
def _exclusive(sweep: Path) -> Iterator[None]:
    """One process at a time gives out directories."""
    with (sweep / ".lock").open("a") as file:
        lock_file(file.fileno(), wait=True)
        yield


def archive_attempt(job: Job) -> Path:
    """Move what is in a job's directory out of the way and return where it is.

    Raises:
        OSError: it cannot be moved.
    """
    path = job.directory.path
    aside = path.parent / ASIDE
    with _exclusive(path.parent):
        aside.mkdir(exist_ok=True)
        number = 1
        while (aside / f"{path.name}-{number}").exists():
            number += 1
        target = aside / f"{path.name}-{number}"
        path.rename(target)
        _make(job)
    return target


def _numbered(sweep: Path) -> list[Path]:
    folders = [item for item in sweep.glob("*") if item.name.isdigit() and item.is_dir()]
    return sorted(folders, key=lambda folder: int(folder.name))
