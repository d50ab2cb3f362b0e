"""Keeps what libraries advertise and warn of needlessly off the screen."""

import logging
import warnings

__all__ = ["quiet_lightning", "quiet_warnings"]

_NOT_FOR_THE_USER = (
    "treespec, LeafSpec",
    "Checkpoint directory .* exists and is not empty",
    "It is recommended to use .*sync_dist=True",  # the metrics have added up the ranks
    "Could not find the monitored key",  # before the first validation
    "The `srun` command is available on your system but is not used",
    "Be aware that when using `ckpt_path`, callbacks used to create the checkpoint",
    "The ``compute`` method of metric .* was called before the ``update`` method",
)


def quiet_lightning() -> None:
    """Let Lightning's log begin at errors; to be called after its import, which sets the level."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)


def quiet_warnings() -> None:
    """Silence warnings of libraries that say nothing to a user, whenever they are imported."""
    for message in _NOT_FOR_THE_USER:
        warnings.filterwarnings("ignore", message=f".*{message}")
