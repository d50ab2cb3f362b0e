"""Runs are read back from their directories."""

from pathlib import Path

from src.files import write_json
from src.runs.directory import RunDirectory
from src.runs.reader import best_row, last_values, read_rows, read_runs, varying
from src.sweep.job_directories import place_jobs

CSV = """step,epoch,train/loss,train/acc_epoch,val/acc,val/loss
9,0,1.5,,,
9,0,,0.5,,
9,0,,,0.40,1.3
19,1,1.1,,,
19,1,,0.7,,
19,1,,,0.60,1.1
29,2,0.9,,,
29,2,,0.8,,
29,2,,,0.55,1.0
"""


def test_the_best_epoch_is_that_of_the_monitored_metric(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.rows.write_text(CSV)
    rows = read_rows(directory)
    assert best_row(rows, "val/acc")["epoch"] == 1
    assert best_row(rows, "val/acc")["train/acc_epoch"] == 0.7
    assert best_row(rows, "val/loss")["epoch"] == 2
    assert best_row(rows, "train/acc")["epoch"] == 2
    assert last_values(rows)["val/acc"] == 0.55
    assert last_values(rows)["train/loss"] == 0.9
    assert best_row(rows, "val/other") == {}


def test_the_jobs_of_a_sweep_are_read_in_order_and_dead_ones_are_failed(tmp_path: Path) -> None:
    for number, state in (("10", "finished"), ("2", "interrupted"), ("0", None)):
        run = RunDirectory(tmp_path / number)
        (run.path / ".hydra").mkdir(parents=True)
        run.overrides.write_text(f"- seed={number}\n- model=resnet20\n")
        if state:
            write_json(run.record, {"state": state, "reason": None})
    (tmp_path / "report").mkdir()
    place_jobs(tmp_path, {"abc": ["seed=11"]})
    runs = read_runs(tmp_path)
    assert [run.path.name for run in runs] == ["0", "2", "10", "11"]
    assert [run.state for run in runs] == ["failed", "interrupted", "finished", "waiting"]
    assert runs[2].overrides == ("seed=10", "model=resnet20")
    assert varying(runs) == [
        ("seed=0", "model=resnet20"),
        ("seed=2", "model=resnet20"),
        ("seed=10", "model=resnet20"),
        ("seed=11",),
    ]
    assert varying(runs[:1]) == [runs[0].overrides]
