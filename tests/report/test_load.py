"""What is read of a run, and what becomes of one that cannot be read."""

import json
from pathlib import Path

import pytest

from src.report.comparison import build_comparison
from src.report.load import RunResult, load_result
from tests.fixtures.runs import write_run


def read(path: Path) -> RunResult:
    run = load_result("name", path)
    assert run is not None
    return run


def test_a_finished_run(tmp_path: Path) -> None:
    run = read(write_run(tmp_path / "0", "optimizer.lr=0.1", "seed=4", acc=0.75, seconds=50))
    assert run.is_finished
    assert run.seeds == ("4", None)
    assert run.settings["optimizer.lr"] == "0.1"
    assert run.figures["val/acc"] == 0.75
    assert run.figures["train_seconds"] == 50
    assert "test/loss" not in run.figures
    assert (run.facts["data.source"], run.commit, run.hardware) == (
        "ten classes",
        "1234567",
        "a CPU, 2 threads",
    )


def test_a_running_run_says_how_far_it_is_and_has_no_figures(tmp_path: Path) -> None:
    run = read(write_run(tmp_path / "0", state="running", epochs=2, acc=0.6))
    assert not run.is_finished
    assert run.figures == {}
    assert run.progress == {"epoch": 1, "val/acc": 0.6, "val/loss": 0.4}


def test_the_gpu_is_the_hardware(tmp_path: Path) -> None:
    path = write_run(
        tmp_path / "0", compute={"gpu": "H200", "threads": 8}, uncommitted_changes=True
    )
    assert (read(path).hardware, read(path).commit) == ("H200", "1234567+")


def damage(path: Path, name: str, text: str | None) -> Path:
    (path / name).unlink(missing_ok=True)
    if text is not None:
        (path / name).write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("run.json", "{", "run.json: not readable as JSON"),
        ("run.json", None, "run.json: not there"),
        ("run.json", "[]", "run.json: not a JSON object"),
        ("metrics.json", "", "metrics.json: not readable as JSON"),
        ("metrics.json", None, "metrics.json: not there"),
        ("metrics.json", '{"val/acc": "high"}', "val/acc is 'high', not a number"),
        (".hydra/config.yaml", "a: [", "config.yaml: cannot be read"),
        (".hydra/config.yaml", None, ".hydra/config.yaml: not there"),
        (".hydra/config.yaml", "- a", "holds no configuration"),
        (".hydra/overrides.yaml", "- [", "overrides.yaml: cannot be read"),
        (".hydra/hydra.yaml", "hydra: 1", "hydra.yaml: holds no choices"),
    ],
)
def test_a_damaged_run_is_listed_with_the_reason(
    tmp_path: Path, name: str, text: str | None, reason: str
) -> None:
    run = read(damage(write_run(tmp_path / "0"), name, text))
    assert run.state == "unreadable"
    assert reason in (run.reason or "")
    assert "\n" not in (run.reason or "")


def test_a_run_that_has_not_begun_may_have_no_configuration(tmp_path: Path) -> None:
    path = damage(write_run(tmp_path / "0", state="waiting"), ".hydra/config.yaml", None)
    assert (read(path).state, read(path).settings) == ("waiting", {})


def test_figures_that_are_not_finite_are_none(tmp_path: Path) -> None:
    path = write_run(tmp_path / "0")
    (path / "metrics.json").write_text(json.dumps({"val/acc": 0.5, "val/loss": float("nan")}))
    assert read(path).figures == {"val/acc": 0.5}


def test_damaged_rows_cost_the_curves_alone_and_that_is_said(tmp_path: Path) -> None:
    damage(write_run(tmp_path / "0"), "metrics.csv", "step,epoch,val/acc\n9,0,high\n")
    report = build_comparison([tmp_path], "val/acc", tmp_path)
    assert report.groups[0].statistics["val/acc mean"] == 0.9
    assert any(line.startswith("no curves of 0: metrics.csv: could not") for line in report.caveats)


def test_a_benchmark_is_no_run(tmp_path: Path) -> None:
    write_run(tmp_path / "0", "benchmark.mode=training")
    write_run(tmp_path / "1")
    assert [run.name for run in build_comparison([tmp_path], "val/acc", tmp_path).runs] == ["1"]
    with pytest.raises(ValueError, match="holds no run"):
        build_comparison([tmp_path / "0"], "val/acc", tmp_path)
