"""Check before training that its checkpoints fit on the disk."""

import shutil
from pathlib import Path

from src.config.schema import TrainConfig
from src.errors import UserError

STATE_TENSORS = {"sgd": 1, "muon": 1, "adam": 2, "adamw": 2}
"""Optimizer state by optimizer: numbers for each weight, at most."""

CHECKPOINT_FILES = 4
"""``best.ckpt``, ``last.ckpt``, ``previous.ckpt``, and the one being written."""


def estimate_checkpoint_bytes(config: TrainConfig, parameters: int) -> int:
    """Upper estimate of the size of a run's checkpoints, in bytes."""
    if not config.callbacks.checkpoint:
        return 0
    name = config.optimizer["name"] if isinstance(config.optimizer, dict) else config.optimizer.name
    copies = 1 + STATE_TENSORS.get(name, 2) + config.callbacks.ema.enabled
    return CHECKPOINT_FILES * 4 * parameters * copies


def check_disk_space(directory: Path, needed: int) -> None:
    """Refuse a run whose checkpoints, of ``needed`` bytes, do not fit on the disk.

    Existing checkpoints of the run count as free, because they are replaced.
    """
    checkpoints = directory.glob("checkpoints/*.ckpt")
    replaced = sum(path.stat().st_size for path in checkpoints if path.is_file())
    free = shutil.disk_usage(directory).free + replaced
    if needed > free:
        raise UserError(
            f"{directory}: the checkpoints need about {_size(needed)} and {_size(free)} are free; "
            "choose another place with hydra.run.dir=<directory> (of a sweep: hydra.sweep.dir), "
            "or write none with callbacks.checkpoint=false test_checkpoint=last"
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
