"""The directories of a sweep's jobs."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from src.runs.job_directories import archive_attempt, jobs_of, place_job, place_jobs


def place(sweep: Path) -> list[str]:
    return [place_job(sweep, key, [f"seed={key}"]).directory.path.name for key in "abcdef"]


def test_processes_at_once_agree_on_the_directories(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, get_context("fork")) as pool:
        found = list(pool.map(place, [tmp_path] * 4))
    assert found == [found[0]] * 4
    assert sorted(found[0]) == ["0", "1", "2", "3", "4", "5"]
    assert [job.directory.path.name for job in jobs_of(tmp_path)] == sorted(found[0])


def test_a_job_is_found_by_its_key_and_set_aside_with_what_it_holds(tmp_path: Path) -> None:
    jobs = place_jobs(tmp_path, {"a": ["seed=1"], "b": ["seed=2"]}, ["seed"])
    job = jobs["a"]
    assert jobs_of(tmp_path) == [job, jobs["b"]]
    assert place_job(tmp_path, "a", ["seed=1"]) == job
    for number in (1, 2):
        (job.directory.path / "old").write_text(str(number))
        assert archive_attempt(job) == tmp_path / f"attempts/0-{number}"
        assert (tmp_path / f"attempts/0-{number}/old").read_text() == str(number)
        assert jobs_of(tmp_path) == [job, jobs["b"]]
        assert [item.name for item in job.directory.path.iterdir()] == ["job.json"]
