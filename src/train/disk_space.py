"""Check before training that its checkpoints fit on the disk."""

import shutil
from pathlib import Path

from src.config.schema import TrainConfig
from src.errors import UserError

STATE = {"sgd": 1, "muon": 1, "adam": 2, "adamw": 2}
"""Numbers an optimizer keeps for each weight, at most."""

FILES = 4
"""``best.ckpt``, ``last.ckpt``, ``previous.ckpt``, and the one that is being written."""


def estimate_checkpoint_bytes(config: TrainConfig, parameters: int) -> int:
    """What the checkpoints of a run take at most, about: of a network with so many parameters."""
    if not config.callbacks.checkpoint:
        return 0
    name = config.optimizer["name"] if isinstance(config.optimizer, dict) else config.optimizer.name
    copies = 1 + STATE.get(name, 2) + config.callbacks.ema.enabled
    return FILES * 4 * parameters * copies


def check_disk_space(place: Path, needed: int) -> None:
    """Refuse to begin what could not be kept.

    Args:
        place: where the checkpoints will be.
        needed: bytes of them all; those that are there already count as free.
    """
    there = sum(path.stat().st_size for path in place.glob("checkpoints/*.ckpt") if path.is_file())
    free = shutil.disk_usage(place).free + there
    if needed > free:
        raise UserError(
            f"{place}: the checkpoints need about {_size(needed)} and {_size(free)} are free; "
            "choose another place with hydra.run.dir=<directory> (of a sweep: hydra.sweep.dir), "
            "or write none with callbacks.checkpoint=false test_checkpoint=last"
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
