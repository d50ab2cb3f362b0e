"""The directories of a sweep's jobs."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from src.files import read_json
from src.runs.directory import job_folders
from src.sweep.job_directories import archive_attempt, place_jobs


def place(sweep: Path) -> list[str]:
    return [place_jobs(sweep, {key: [f"seed={key}"]})[key].path.name for key in "abcdef"]


def test_processes_at_once_agree_on_the_directories(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, get_context("fork")) as pool:
        found = list(pool.map(place, [tmp_path] * 4))
    assert found == [found[0]] * 4
    assert sorted(found[0]) == ["0", "1", "2", "3", "4", "5"]
    assert [folder.name for folder in job_folders(tmp_path)] == sorted(found[0])


def test_a_job_is_found_by_its_key_and_set_aside_with_what_it_holds(tmp_path: Path) -> None:
    wanted = {"a": ["seed=1"], "b": ["seed=2"]}
    jobs = place_jobs(tmp_path, wanted, ["seed"])
    job = jobs["a"]
    content = read_json(job.job)
    assert content == {"key": "a", "overrides": ["seed=1"], "varying": ["seed"]}
    assert place_jobs(tmp_path, {"a": ["seed=3"]}) == {"a": job}
    for number in (1, 2):
        (job.path / "old").write_text(str(number))
        assert archive_attempt(job) == tmp_path / f"attempts/0-{number}"
        assert (tmp_path / f"attempts/0-{number}/old").read_text() == str(number)
        assert place_jobs(tmp_path, wanted) == jobs
        assert read_json(job.job) == content
        assert [item.name for item in job.path.iterdir()] == ["job.json"]
