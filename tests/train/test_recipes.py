"""Every recipe of conf/experiment runs, on tiny data in the real format."""

from pathlib import Path

import pytest

from src.config.validate import CONF
from src.runs.reader import read_runs
from tests.fixtures.cli import Cli, the_run
from tests.fixtures.datasets import idx_files, write_files

RECIPES = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
TWO_BATCHES = [
    "data.batch_size=8",
    "data.eval_batch_size=8",
    "trainer.limit_train_batches=2",
    "trainer.limit_val_batches=2",
    "trainer.limit_test_batches=2",
    "trainer.max_epochs=1",
    "trainer.accelerator=cpu",
    "callbacks.progress_bar=false",
    "callbacks.model_summary=false",
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_runs(cli: Cli, cifar: str, tmp_path: Path, recipe: str) -> None:
    words = [f"experiment={recipe}", *TWO_BATCHES]
    if recipe.startswith("cifar10"):
        words.append(cifar)
    elif recipe.startswith("fashion_mnist"):
        words.append(f"data.root={write_files(tmp_path / 'idx', idx_files())}")
    done = cli(*words)
    assert done.code == 0, done.err + done.out
    if (tmp_path / "outputs/sweep").exists():
        (sweep,) = (tmp_path / "outputs/sweep").iterdir()
        runs = read_runs(sweep)
        assert len(runs) > 1
        assert all(run.state == "finished" for run in runs)
        assert all("test/acc" in run.metrics for run in runs)
    else:
        assert the_run(tmp_path).metrics.exists()
