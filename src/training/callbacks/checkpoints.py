"""Checkpoints and early stopping: Lightning's callbacks, resumed as configured."""

from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch import callbacks


class RunCheckpoint(callbacks.ModelCheckpoint):
    """One checkpoint file in a run directory, which may have been moved since the run began.

    Lightning 2.6's ModelCheckpoint forgets the best score when the directory has another path.
    """

    def __init__(self, path: Path, **options: Any):
        options |= {"save_on_train_epoch_end": True, "enable_version_counter": False}
        super().__init__(path.parent, path.stem, **options)
        self.path = Path(self.dirpath or "") / path.name

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the scores, with paths in the current directory."""

        def moved(path: str) -> str:
            return str(self.path.with_name(Path(path).name)) if path else path

        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        state_dict = state_dict | {name: moved(state_dict[name]) for name in paths}
        best = {moved(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(state_dict | {"dirpath": self.dirpath, "best_k_models": best})


class LastCheckpoint(RunCheckpoint):
    """``last.ckpt`` every n epochs and at the end of training.

    Lightning 2.6 does not save an end between two such epochs: the file would hold other weights
    than the tested ones, and a run that is extended would repeat epochs.
    """

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        epochs = trainer.current_epoch + 1
        ends = epochs == trainer.max_epochs or trainer.global_step == trainer.max_steps
        if (ends or trainer.should_stop) and epochs % (self.every_n_epochs or 1):
            trainer.save_checkpoint(self.path)


class EarlyStopping(callbacks.EarlyStopping):
    """Early stopping with the configured patience; Lightning 2.6 restores the checkpoint's."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict | {"patience": self.patience})
