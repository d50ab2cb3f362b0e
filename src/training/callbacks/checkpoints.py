"""Checkpoint callbacks: ``best.ckpt`` and ``last.ckpt``."""

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint


class RunCheckpoint(ModelCheckpoint):
    """One file in the run directory, wherever that has been moved to.

    Lightning's forgets the best score of a run whose directory has another path than before.
    """

    def __init__(self, directory: Path, filename: str, **options: Any):
        """Keep ``<directory>/<filename>.ckpt``."""
        super().__init__(
            dirpath=directory,
            filename=filename,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
            **options,
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the scores, with the paths of today."""
        here = Path(self.dirpath or "")

        def moved(path: str) -> str:
            return str(here / Path(path).name) if path else path

        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        best = {moved(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(
            state_dict
            | {name: moved(state_dict[name]) for name in paths}
            | {"dirpath": self.dirpath, "best_k_models": best}
        )


class LastCheckpoint(RunCheckpoint):
    """``last.ckpt`` every few epochs, and always at the end of training.

    Lightning's leaves out an end that is between two of them: the file would hold other weights
    than those that are tested, and a run that trains on would train some epochs again.
    """

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the file when it is time."""
        super().on_train_epoch_end(trainer, pl_module)
        epochs = trainer.current_epoch + 1
        ends = epochs == trainer.max_epochs or trainer.global_step == trainer.max_steps
        if (ends or trainer.should_stop) and epochs % (self.every_n_epochs or 1):
            trainer.save_checkpoint(Path(self.dirpath or "") / "last.ckpt")


def best_checkpoint(directory: Path, monitor: str) -> RunCheckpoint:
    """Keeps ``best.ckpt``, by the highest accuracy or the lowest loss."""
    return RunCheckpoint(directory, "best", monitor=monitor, mode=mode_of(monitor))


def last_checkpoint(directory: Path, every_n_epochs: int) -> LastCheckpoint:
    """Keeps ``last.ckpt``, written at the end of every ``every_n_epochs``-th epoch and the last."""
    return LastCheckpoint(directory, "last", every_n_epochs=every_n_epochs)


def mode_of(metric: str) -> str:
    """``max`` for accuracies, ``min`` for losses."""
    return "max" if metric.endswith("acc") else "min"
