"""The tables as text of each kind."""

import csv
import io
from pathlib import Path

import pytest
from rich.console import Console

from src.report.comparison import Comparison, build_comparison
from src.report.tables import (
    groups_csv,
    latex,
    leaderboard,
    markdown,
    runs_csv,
    terminal,
    unfinished_table,
)
from tests.fixtures.runs import write_run, write_sweep

ODD = r"a_b & c|d 50%"


@pytest.fixture
def odd(tmp_path: Path) -> Comparison:
    """Two groups, one of which has a name full of special characters; and a failed run."""
    for seed, acc in enumerate([0.91, 0.93]):
        write_run(tmp_path / str(seed), f"data.root={ODD}", f"seed={seed}", acc=acc)
    write_run(tmp_path / "2", "data.root=plain", acc=0.5)
    write_run(tmp_path / "3", "data.root=plain", "seed=1", state="failed", reason="a | b")
    return build_comparison([tmp_path], "val/acc", tmp_path)


def printed(report: Comparison, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(terminal(report, console), crop=False)
    return console.export_text()


def test_the_leaderboard_has_spread_interval_and_cost(odd: Comparison) -> None:
    cells = leaderboard(odd).cells
    assert list(cells) == [
        *("data.root", "n", "val/acc (%)", "95% interval", "test/acc (%)", "time (s)", "images/s")
    ]
    first, second = cells.to_numpy().tolist()
    assert first == [ODD, "2", "92.00 ± 1.41", "79.29–100.00", "91.00 ± 1.41", "100.0", "1,000"]
    assert second[1:4] == ["1", "50.00", "–"]


def test_times_of_a_table_are_in_one_unit(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "optimizer.lr=0.1", seconds=7200)
    write_run(tmp_path / "1", "optimizer.lr=0.2", seconds=360)
    cells = leaderboard(build_comparison([tmp_path], "val/acc", tmp_path)).cells
    assert list(cells["time (h)"]) == ["2.0", "0.1"]


def test_markdown_escapes_what_would_end_a_cell(odd: Comparison) -> None:
    text = markdown(odd)
    rows = [line for line in text.splitlines() if line.startswith("| ") and "92.00" in line]
    assert len(rows) == 1
    assert rows[0].startswith(r"| a\_b & c\|d 50% ")
    columns = len(leaderboard(odd).cells.columns)
    assert rows[0].replace(r"\|", "").count("|") == columns + 1
    assert text.startswith("# ")
    assert r"a \| b" in text, "the failed run"


def test_latex_is_a_booktabs_table_with_every_special_character_escaped(odd: Comparison) -> None:
    text = latex(odd)
    table = [line for line in text.splitlines() if not line.startswith("%")]
    assert table[0] == r"\begin{tabular}{lrrrrrr}"
    assert table[-1] == r"\end{tabular}"
    for rule in ("toprule", "midrule", "bottomrule"):
        assert rf"\{rule}" in table
    (row,) = (line for line in table if "92.00" in line)
    assert row.strip().startswith(r"a\_b \& c|d 50\%")
    assert r"92.00 $\pm$ 1.41" in row
    assert "79.29--100.00" in row
    assert row.replace(r"\&", "").count("&") == 6
    assert "\n".join(table).isascii()


def test_csv_has_figures_in_full(odd: Comparison) -> None:
    first, second = csv.DictReader(io.StringIO(groups_csv(odd), newline=""))
    assert first["data.root"] == ODD
    assert (first["runs"], first["val/acc n"]) == ("2", "2")
    assert float(first["val/acc mean"]) == pytest.approx(0.92)
    assert float(first["val/acc std"]) == pytest.approx(0.02 / 2**0.5)
    assert float(first["train_seconds mean"]) == 100
    assert (second["val/acc std"], second["train/acc mean"]) == ("", "")
    rows = list(csv.DictReader(io.StringIO(runs_csv(odd), newline="")))
    assert [row["state"] for row in rows] == ["finished", "finished", "finished", "failed"]
    assert [row["seed"] for row in rows] == ["0", "1", "0", "1"]
    assert (rows[3]["reason"], rows[3]["val/acc"], rows[0]["val/acc"]) == ("a | b", "", "0.91")


def test_the_terminal_shows_figures_whole_however_narrow_it_is(tmp_path: Path) -> None:
    words = "optimizer.weight_decay=0.0005 model.shortcut=[none] data.batch_size=128"
    write_sweep(tmp_path, {words: [0.91, 0.92], "optimizer.lr=0.1": [0.5, 0.6]})
    report = build_comparison([tmp_path], "val/acc", tmp_path)
    for width in (20, 80, 200):
        text = printed(report, width)
        assert "91.50 ± 0.71" in text
        assert "85.15–97.85" in text
        assert "1,000" in text
    text = printed(report, 200)
    assert "[none]" in text, "no markup"
    assert "weight_decay" in text


def test_runs_outside_of_the_means_are_listed(odd: Comparison) -> None:
    (row,) = unfinished_table(odd).cells.to_numpy().tolist()
    assert row == ["3", "data.root=plain seed=1", "failed", "epoch 3/3, val/acc 90.00%", "a | b"]


def test_nothing_varies(tmp_path: Path) -> None:
    write_sweep(tmp_path, {"optimizer.lr=0.1": [0.91, 0.92]})
    cells = leaderboard(build_comparison([tmp_path], "val/acc", tmp_path)).cells
    assert (cells["runs"][0], cells["n"][0]) == ("all runs", "2")
