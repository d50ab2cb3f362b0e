"""Atomic checkpoints: whenever the process dies, a whole one exists."""

import os
import pickle
import re
import shutil
import zipfile
from pathlib import Path
from typing import IO, Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from torch import Tensor

from src.files import replacing, replacing_with
from src.training.checkpoint_manifest import Manifest, digest

_WANTED = {"state_dict", "global_step", "epoch"}
_STATE = {
    **{"global_step": int, "epoch": int, "loops": dict, "callbacks": dict},
    **{"optimizer_states": list, "lr_schedulers": list, "train_metrics": dict},
}
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"


class CheckpointError(ValueError):
    """A checkpoint that is damaged, or no checkpoint of a run."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, flushes to the disk, then renames.

    Lightning writes into the system's temporary directory and moves the file over the old one,
    byte by byte when that is another file system: a full disk then leaves half a checkpoint.

    The ``last.ckpt`` that is replaced stays as ``previous.ckpt``, and what was written is known by
    its SHA-256 (:mod:`src.training.checkpoint_manifest`), so that one which goes bad is noticed
    and there is another. A folder is written to by one process at a time.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a checkpoint; the old file stays until the new one is whole.

        Raises:
            OSError: it cannot be written.
        """
        target = Path(path)
        folder = target.parent
        folder.mkdir(parents=True, exist_ok=True)
        _remove_unfinished(folder)
        manifest = Manifest(folder)
        with replacing(target, "w+b") as file:
            _save(checkpoint, file)
            file.flush()
            sha = digest(file)
            if target.name == LAST and target.exists():
                put_in_place(target, folder / PREVIOUS)
            manifest.expect(target.name, sha)
        manifest.settle(target.name, sha)

    def load_checkpoint(
        self, path: Any, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint that is as it was written; only tensors and plain values are accepted.

        Bytes that have changed on the disk load as other weights, so what was written is compared
        with the manifest beside it, and with the checksums in the file: 0.07 s for 89 MB.

        Raises:
            CheckpointError: the file is damaged, or holds anything else.
        """
        try:
            _check_sums(Path(path))
            checkpoint = torch.load(path, map_location=map_location, weights_only=True)
        except (FileNotFoundError, PermissionError):
            raise
        except Exception as error:
            raise CheckpointError(f"{path}: not a readable checkpoint ({_why(error)})") from error
        if not isinstance(checkpoint, dict) or not checkpoint.keys() >= _WANTED:
            raise CheckpointError(f"{path}: not a checkpoint of a run")
        _check_state(path, checkpoint["state_dict"])
        if not Manifest(Path(path).parent).accepts(Path(path)):
            raise CheckpointError(
                f"{path}: not what was written: its SHA-256 is not in manifest.json beside it; if "
                "you have put it there yourself, delete the manifest"
            )
        return checkpoint


def _remove_unfinished(folder: Path) -> None:
    """What writers that were killed have left."""
    for pattern in (".*.ckpt.*", ".manifest.json.*"):
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _save(checkpoint: dict[str, Any], file: IO[bytes]) -> None:
    try:
        torch.save(checkpoint, file)
    except RuntimeError as error:
        # On its way out of a full disk torch fails again, at closing the archive.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def put_in_place(source: Path, target: Path) -> None:
    """Make ``target`` the same checkpoint as ``source`` in one moment, without writing it again.

    Raises:
        OSError: it cannot be done.
    """
    manifest = Manifest(source.parent)
    manifest.expect_copy(source.name, target.name)
    with replacing_with(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, temporary)
    manifest.settle_copy(source.name, target.name)


def _check_sums(path: Path) -> None:
    if not path.stat().st_size:
        raise ValueError("it is empty")
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"it is damaged: the checksum of {damaged} is wrong")


def check_resumable(path: Path, checkpoint: dict[str, Any]) -> None:
    """Whether a run can go on from a loaded checkpoint, which takes more than its weights.

    Raises:
        CheckpointError: something is missing; without it a run would silently go on otherwise.
    """
    for name, kind in _STATE.items():
        if not isinstance(checkpoint.get(name), kind):
            raise CheckpointError(f"{path}: not a state to go on from ({name} is missing)")
    if not checkpoint["optimizer_states"] or not checkpoint["lr_schedulers"]:
        raise CheckpointError(f"{path}: not a state to go on from (without its optimizer)")


def _check_state(path: Any, state: Any) -> None:
    if not isinstance(state, dict):
        raise CheckpointError(
            f"{path}: not a checkpoint of a run (state_dict is of type {type(state).__name__})"
        )
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path}: not a checkpoint of a run (state_dict[{name!r}] is of type "
                f"{type(value).__name__}; a tensor under a name is expected)"
            )


def _why(error: Exception) -> str:
    """The reason in a line; torch's own recommends to load what it has refused."""
    if isinstance(error, pickle.UnpicklingError):
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"asks for {named[1]}" if named else "holds more than tensors and plain values"
        return f"it {what}, which is refused; nothing of it was executed"
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
