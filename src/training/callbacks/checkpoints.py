"""``best.ckpt`` and ``last.ckpt``."""

from pathlib import Path

from lightning.pytorch.callbacks import ModelCheckpoint


def best_checkpoint(directory: Path, monitor: str) -> ModelCheckpoint:
    """Keeps ``best.ckpt``, by the highest accuracy or the lowest loss."""
    return ModelCheckpoint(
        dirpath=directory,
        filename="best",
        monitor=monitor,
        mode=mode_of(monitor),
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def last_checkpoint(directory: Path, every_n_epochs: int) -> ModelCheckpoint:
    """Keeps ``last.ckpt``, written at the end of every ``every_n_epochs``-th epoch."""
    return ModelCheckpoint(
        dirpath=directory,
        filename="last",
        every_n_epochs=every_n_epochs,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def mode_of(metric: str) -> str:
    """``max`` for accuracies, ``min`` for losses."""
    return "max" if metric.endswith("acc") else "min"
