"""``python -m src.report``: from directories to a leaderboard and its files."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from rich.console import Console

from src.report.charts import group_color
from src.report.load import load_result
from src.report.run import show_report, write_report
from src.runs.directory import RunDirectory
from src.runs.lock import locked
from tests.fixtures.cli import Cli
from tests.fixtures.runs import write_run, write_sweep

FILES = ["report.csv", "report.html", "report.md", "report.tex", "runs.csv"]
RESULTS = {"optimizer.lr=0.1": [0.91, 0.92, 0.93], "optimizer.lr=0.2": [0.90, 0.905, 0.91]}


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A finished sweep of two settings over three seeds."""
    return write_sweep(tmp_path / "outputs/sweep/first", RESULTS)


def refused(report_cli: Cli, *words: str) -> str:
    """The one line a report is refused with."""
    done = report_cli(*words)
    assert done.code == 2, done.out + done.err
    assert len(done.err.splitlines()) == 1, done.err
    return done.err


def test_a_sweep_is_reported_beside_its_jobs(report_cli: Cli, sweep: Path) -> None:
    done = report_cli(f"sweep={sweep}")
    assert done.code == 0, done.err
    assert "92.00 ± 1.00" in done.out
    assert "6 finished runs of 2 settings" in done.out
    assert "paired t-test over the 3 seeds that both share, p = 0.035" in done.out
    assert sorted(path.name for path in (sweep / "report").iterdir()) == FILES
    assert f"report in {sweep / 'report'}" in done.out
    assert report_cli(f"sweep={sweep}").out == done.out, "its own files are no run"


def test_a_picture_of_the_comparison(report_cli: Cli, sweep: Path) -> None:
    rows = sweep / "0/metrics.csv"
    names = "gradient_norm/1_stem,gradient_norm/2_layer1"
    lines = rows.read_text().splitlines()
    lines = [
        f"{lines[0]},{names}",
        *(f"{line},0.5,{place + 1}" for place, line in enumerate(lines[1:])),
    ]
    rows.write_text("\n".join(lines))
    run = load_result("0", sweep / "0")
    assert run is not None
    assert run.gradients == {"stem": 0.5, "layer1": pytest.approx(6.5)}
    assert report_cli(f"sweep={sweep}", "format=figure", "output=out").code == 0
    assert [path.name for path in Path("out").iterdir()] == ["figure.png"]
    picture = cv2.imread("out/figure.png")
    assert picture.shape == (462, 1320, 3)
    for place in (0, 1):  # the colors of both groups are there
        red, green, blue = bytes.fromhex(group_color(place).removeprefix("#"))
        assert (picture == (blue, green, red)).all(axis=2).sum() > 100


def test_by_name_by_another_metric_and_into_another_folder(report_cli: Cli, sweep: Path) -> None:
    done = report_cli("sweep=first", "metric=test/acc", "output=there/it is [1]")
    assert done.code == 0, done.err
    assert "test/acc: the best, optimizer.lr=0.1" in done.out
    assert (Path("there/it is [1]") / "report.html").exists()
    assert not (sweep / "report").exists()


def test_several_sweeps_are_one_comparison(report_cli: Cli, sweep: Path, tmp_path: Path) -> None:
    write_sweep(sweep.parent / "second", {"optimizer.lr=0.3": [0.94, 0.95, 0.97]})
    done = report_cli("sweep=[first,second]")
    assert done.code == 0, done.err
    assert "9 finished runs of 3 settings" in done.out
    rows = list(csv.DictReader((sweep / "report/runs.csv").open()))
    assert {row["run"] for row in rows} >= {"first/0", "second/2"}
    assert "the best, optimizer.lr=0.3" in done.out


def test_a_sweep_that_still_runs_and_one_that_went_wrong(report_cli: Cli, sweep: Path) -> None:
    running = write_run(sweep / "6", "optimizer.lr=0.3", state="running", epochs=2, acc=0.4)
    write_run(sweep / "7", "optimizer.lr=9", state="failed", reason="training diverged")
    write_run(sweep / "8", "optimizer.lr=9", state="a state of tomorrow")
    (write_run(sweep / "9", acc=0.99) / "run.json").write_text("{")
    with locked(RunDirectory(running)):
        done = report_cli("sweep=first")
    assert done.code == 0, done.err
    assert "6 finished runs of 2 settings, 4 not in the means" in done.out
    assert "run 7 (failed, epoch 3/3" in done.out
    assert "optimizer.lr=9 seed=0 – training diverged" in done.out
    text = (sweep / "report/report.md").read_text()
    (line,) = (line for line in text.splitlines() if "running" in line)
    assert "epoch 2/3, val/acc 40.00%" in line
    for words in (
        "training diverged",
        "a state of tomorrow",
        "unreadable",
        "run.json: not readable",
    ):
        assert words in text
    assert "99.00" not in text


def test_single_runs_and_nothing_finished(report_cli: Cli, tmp_path: Path) -> None:
    write_run(tmp_path / "outputs/train/monday", acc=0.8)
    done = report_cli("sweep=outputs/train")
    assert done.code == 0, done.err
    assert "one run each (n = 1)" in done.out
    write_run(tmp_path / "alone", state="running", epochs=0)
    done = report_cli("sweep=alone")
    assert done.code == 0, done.err
    assert "0 finished runs, 1 not in the means" in done.out


def test_a_second_report_replaces_the_first(report_cli: Cli, sweep: Path) -> None:
    assert report_cli("sweep=first").code == 0
    write_run(sweep / "6", "optimizer.lr=0.3", acc=0.5)
    assert report_cli("sweep=first").code == 0
    assert len(list(csv.DictReader((sweep / "report/report.csv").open()))) == 3
    assert sorted(path.name for path in (sweep / "report").iterdir()) == FILES


def test_what_is_wrong_is_one_line(report_cli: Cli, sweep: Path) -> None:
    assert "which runs?" in refused(report_cli)
    line = refused(report_cli, "sweep=frist")
    assert "sweep=frist: no such directory" in line
    assert "did you mean first?" in line
    assert "sweep=[<one>,<another>]" in refused(report_cli, "sweep=first,second")
    assert "did you mean val/acc?" in refused(report_cli, "sweep=first", "metric=val/acd")
    assert "did you mean metric?" in refused(report_cli, "sweep=first", "metrik=val/acc")
    assert "holds no run" in refused(report_cli, f"sweep={sweep / '0/.hydra'}")
    assert "cannot be swept" in refused(report_cli, "-m", "sweep=first")
    assert "takes no images" in refused(report_cli, "sweep=first", "data=shapes")
    Path("file").touch()
    assert "cannot be written" in refused(report_cli, "sweep=first", "output=file")


@pytest.mark.parametrize("command", ["report", "train"])
def test_help_waits_for_no_library(command: str) -> None:
    code = f"""
import atexit, sys
from src.cli import start
slow = ("pandas", "plotly", "scipy", "torch")
atexit.register(lambda: print("imported:", [name for name in slow if name in sys.modules]))
sys.argv[1:] = ["--help"]
start("{command}")
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("imported: []\n"), done.stdout[-200:]


def test_the_end_of_a_sweep_can_call_it(sweep: Path, tmp_path: Path) -> None:
    report = write_report([sweep], metric="val/loss", output=tmp_path / "here")
    console = Console(file=io.StringIO(), record=True, width=120)
    show_report(report, console)
    assert "val/loss: the best, optimizer.lr=0.1" in console.export_text()
    assert (tmp_path / "here/report.tex").exists()
