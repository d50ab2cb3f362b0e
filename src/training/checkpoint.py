"""Writing checkpoints so that a whole one always exists."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from src.files import replacing


class CheckpointError(ValueError):
    """A checkpoint that is damaged, or no checkpoint of a run."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, flushes to the disk, then renames.

    Lightning writes into the system's temporary directory and moves the file over the old one,
    byte by byte when that is another file system: a full disk then leaves half a checkpoint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a checkpoint; the old file stays until the new one is whole.

        Raises:
            OSError: it cannot be written.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target, "wb") as file:
            torch.save(checkpoint, file)

    def load_checkpoint(
        self, path: Any, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint; only tensors and plain values are accepted.

        Raises:
            CheckpointError: the file is damaged, or holds anything else.
        """
        try:
            checkpoint = torch.load(path, map_location=map_location, weights_only=True)
        except FileNotFoundError:
            raise
        except Exception as error:
            first = next(iter(str(error).strip().splitlines()), repr(error))
            raise CheckpointError(f"{path}: not a readable checkpoint ({first})") from error
        wanted = {"state_dict", "global_step", "epoch"}
        if not isinstance(checkpoint, dict) or not wanted <= checkpoint.keys():
            raise CheckpointError(f"{path}: not a checkpoint of a run")
        return checkpoint
