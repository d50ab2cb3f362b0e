"""A run that trains, validates or watches nothing does not end as if it had."""

import json
from pathlib import Path

import pytest

from src.runs.directory import RunDirectory
from tests.fixtures.cli import Cli
from tests.reliability.settings import SETTINGS, TRUST

pytestmark = pytest.mark.reliability

EARLY = "callbacks.early_stopping.enabled=true"
BY_STEPS = ["trainer.max_epochs=null", "trainer.max_steps=40"]

# Command lines, each with the key that its one line has to begin with.
NOTHING_TRAINED = [
    (["trainer.limit_train_batches=0"], "trainer.limit_train_batches=0"),
    (["trainer.max_epochs=0"], "trainer.max_epochs=0"),
    (["trainer.max_steps=0"], "trainer.max_steps=0"),
    (["data.batch_size=1000"], "data.batch_size=1000"),
    (["data.batch_size=1000", "data.drop_last=false"], "data.batch_size=1000"),
    (["trainer.max_epochs=null"], "trainer.max_epochs and trainer.max_steps"),
    (["trainer.max_epochs=-1"], "trainer.max_epochs=-1"),
    (["trainer.max_steps=-1"], "trainer.max_steps=-1"),
    (["callbacks.ema.every_n_steps=1000"], "callbacks.ema.every_n_steps=1000"),
]
NOTHING_MEASURED = [
    (["trainer.limit_val_batches=0"], "trainer.limit_val_batches=0"),
    (["trainer.limit_test_batches=0"], "trainer.limit_test_batches=0"),
    (["data.val_fraction=0"], "data.val_fraction=0"),
    (["trainer.check_val_every_n_epoch=0"], "trainer.check_val_every_n_epoch=0"),
    (["trainer.check_val_every_n_epoch=4"], "trainer.check_val_every_n_epoch=4"),
]
NOTHING_WATCHED = [
    (["callbacks.monitor=val/f1"], "callbacks.monitor=val/f1"),
    (["callbacks.monitor=test/acc"], "callbacks.monitor=test/acc"),
    (["objective=val/top5"], "objective=val/top5"),
    ([EARLY, "trainer.check_val_every_n_epoch=4"], "trainer.check_val_every_n_epoch=4"),
    ([EARLY, "trainer.max_steps=15"], EARLY),
    ([EARLY, *BY_STEPS, "trainer.check_val_every_n_epoch=3"], EARLY),
    (["test_checkpoint=best", "trainer.check_val_every_n_epoch=4"], "trainer.check_val"),
    (["test_checkpoint=best", "trainer.max_steps=15"], "test_checkpoint=best"),
    (
        ["test_checkpoint=best", *BY_STEPS, "trainer.check_val_every_n_epoch=3"],
        "test_checkpoint=best",
    ),
    (["test_checkpoint=best", "callbacks.checkpoint=false"], "test_checkpoint=best"),
]


@pytest.mark.parametrize(
    ("words", "key"), [*NOTHING_TRAINED, *NOTHING_MEASURED, *NOTHING_WATCHED], ids=str
)
def test_silent_success_is_impossible(
    cli: Cli, images: str, tmp_path: Path, words: list[str], key: str
) -> None:
    done = cli(images, *SETTINGS, *words, f"hydra.run.dir={tmp_path / 'run'}")
    assert done.code == 2, done.err
    (line,) = done.err.splitlines()
    assert line.startswith(f"error: {key}")
    assert not (tmp_path / "run/checkpoints").exists()


def test_a_run_of_the_default_settings_that_is_too_short_says_what_it_tested(
    cli: Cli, images: str, tmp_path: Path
) -> None:
    run = RunDirectory(tmp_path / "run")
    done = cli(images, *SETTINGS, "trainer.max_steps=15", f"hydra.run.dir={run.path}")
    assert done.code == 0, done.err
    assert "the run ended before its first validation: testing the last weights" in done.out
    figures = json.loads(run.metrics.read_text())
    assert figures["checkpoint"] == "last"
    assert figures["val/acc"] is not None


def test_resuming_nothing_is_an_error(cli: Cli, images: str, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    (tmp_path / "empty").mkdir()
    short = [images, *SETTINGS, "trainer.max_epochs=1"]
    assert cli(*short, f"hydra.run.dir={run.path}").code == 0
    bare = RunDirectory(tmp_path / "bare")
    assert cli(*short, "callbacks.checkpoint=false", "test_checkpoint=last").code == 0
    (tmp_path / "outputs/train").rename(tmp_path / "moved")
    next((tmp_path / "moved").iterdir()).rename(bare.path)
    for path, reason in (
        (tmp_path / "nowhere", "no such directory"),
        (tmp_path / "empty", "not a run directory"),
        (bare.path, "nothing to continue from (no checkpoints/last.ckpt)"),
        (run.path, "this run is finished (1 epochs, 16 steps)"),
    ):
        done = cli(f"resume={path}", TRUST)
        assert done.code == 2
        (line,) = done.err.splitlines()
        assert line.startswith(f"error: resume={path}: {reason}")
