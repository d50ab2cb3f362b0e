"""A long run takes no more than a short one, but time."""

from pathlib import Path
from statistics import median

import pytest

from tests.fixtures.processes import Training
from tests.reliability.settings import SETTINGS, STEPS

pytestmark = pytest.mark.reliability

WARM, LONG = 500, 2000


@pytest.mark.parametrize("workers", [0, 2])
def test_memory_and_open_files_stay_flat(images: str, tmp_path: Path, workers: int) -> None:
    words = [f"trainer.max_epochs={LONG // STEPS}", "logger=default", "trainer.log_every_n_steps=1"]
    training = Training(tmp_path, images, *SETTINGS, *words, f"data.num_workers={workers}")
    assert training.end() == 0, training.err
    measures = training.measures()
    assert len(measures) == LONG
    memory, files = zip(*measures, strict=True)
    assert memory[-1] < 1.02 * memory[WARM], "KiB"
    # Single steps see a file that is just being written, or batches on their way from the
    # loader's processes; a file left open in each epoch would be dozens.
    drift = median(files[-WARM:]) - median(files[WARM : 2 * WARM])
    assert abs(drift) <= (2 if workers else 0)
