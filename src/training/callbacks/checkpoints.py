"""``best.ckpt`` and ``last.ckpt``."""

from pathlib import Path
from typing import Any

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


def best_checkpoint(directory: Path, monitor: str) -> RunCheckpoint:
    """Keeps ``best.ckpt``, by the highest accuracy or the lowest loss."""
    return RunCheckpoint(directory, "best", monitor=monitor, mode=mode_of(monitor))


def last_checkpoint(directory: Path, every_n_epochs: int) -> RunCheckpoint:
    """Keeps ``last.ckpt``, written at the end of every ``every_n_epochs``-th epoch."""
    return RunCheckpoint(directory, "last", every_n_epochs=every_n_epochs)


def mode_of(metric: str) -> str:
    """``max`` for accuracies, ``min`` for losses."""
    return "max" if metric.endswith("acc") else "min"
