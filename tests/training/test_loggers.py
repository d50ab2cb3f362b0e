"""metrics.csv is continued by a resumed run, not begun again."""

import csv
from pathlib import Path

import torch

from src.training.loggers import CsvLogger


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_written_at_once_and_columns_may_be_added(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    logger = CsvLogger(path)
    logger.log_metrics({"train/loss": 1.5, "epoch": 0}, step=9)
    assert rows(path) == [{"step": "9", "epoch": "0", "train/loss": "1.5"}]
    logger.log_metrics({"val/acc": 0.5, "epoch": 0}, step=9)
    assert rows(path)[0]["val/acc"] == ""
    assert rows(path)[1] == {"step": "9", "epoch": "0", "train/loss": "", "val/acc": "0.5"}


def test_a_resumed_run_drops_the_rows_it_will_write_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    logger = CsvLogger(path)
    for step in (9, 19, 29):
        logger.log_metrics({"train/loss": 1.0, "epoch": 0}, step=step)
    again = CsvLogger(path, resume_step=20)
    again.log_metrics({"train/loss": 0.5, "epoch": 1}, step=29)
    assert [row["step"] for row in rows(path)] == ["9", "19", "29"]
    assert rows(path)[-1]["train/loss"] == "0.5"


def test_damaged_rows_do_not_stop_a_resumed_run(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,epoch\n9,0\n²,0\n19,0,0.5,7\n29", encoding="utf-8")
    CsvLogger(path, resume_step=20).log_metrics({"lr": torch.tensor(0.5), "epoch": 1}, step=29)
    assert [list(row.values()) for row in rows(path)] == [
        ["9", "0", ""],
        ["19", "0", ""],
        ["29", "1", "0.5"],
    ]
