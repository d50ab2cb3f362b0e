"""A run whose pictures cannot be drawn is a run all the same."""

from pathlib import Path
from typing import Any, NoReturn

import pytest

from src.files import read_json
from tests.fixtures.cli import TINY, Cli


def test_no_picture_fails_a_run(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*words: Any, **options: Any) -> NoReturn:
        raise RuntimeError("no font")

    for place in (
        "src.training.callbacks.input_visualizer.image_grid",
        "src.train.prediction_visualizer.confusion_figure",
        "src.plotting.new_figure",
    ):
        monkeypatch.setattr(place, fails)
    run = tmp_path / "run"
    done = cli("model=resnet20", "data.batch_size=64", cifar, *TINY, f"hydra.run.dir={run}")
    assert done.code == 0, done.err
    assert read_json(run / "metrics.json")["test/acc"] is not None
    assert read_json(run / "run.json")["state"] == "finished"
    log = (run / "train.log").read_text()
    for picture in ("first_batch", "test/confusion, test/worst_mistakes", "curves.png"):
        assert f"{picture}: no such picture (RuntimeError: no font)" in log
        assert picture in done.out
