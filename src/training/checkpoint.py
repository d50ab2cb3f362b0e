"""Atomic checkpoints: whenever the process dies, a whole one exists.

A checkpoint is a zip archive whose comment is the SHA-256 of all before it, so that damage shows
from the file alone. One without a comment, as version 0.1 and `torch.save` write it, has the
checksums of its members.
"""

import hashlib
import os
import pickle
import re
import shutil
import struct
import zipfile
from pathlib import Path
from typing import IO, Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from torch import Tensor

from src.files import replacing, replacing_with

_WANTED = {"state_dict", "global_step", "epoch"}
_STATE = {
    **{"global_step": int, "epoch": int, "loops": dict, "callbacks": dict},
    **{"optimizer_states": list, "lr_schedulers": list, "train_metrics": dict},
}
_DIGEST_BYTES = len("sha256:") + 64
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"


class CheckpointError(ValueError):
    """A checkpoint that is damaged, or no checkpoint of a run."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target, flushes to the disk, then renames.

    Lightning writes into the system's temporary directory and moves the file over the old one,
    byte by byte when that is another file system: a full disk then leaves half a checkpoint.

    The ``last.ckpt`` that is replaced stays as ``previous.ckpt``, for when the new one goes bad. A
    folder is written to by one process at a time.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a checkpoint; the old file stays until the new one is whole."""
        target = Path(path)
        folder = target.parent
        folder.mkdir(parents=True, exist_ok=True)
        _remove_unfinished(folder)
        with replacing(target, "w+b") as file:
            _save(checkpoint, file)
            _append_digest(file)
            file.flush()
            if target.name == LAST and target.exists():
                put_in_place(target, folder / PREVIOUS)

    def load_checkpoint(
        self, path: Any, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint that is as it was written; only tensors and plain values are accepted.

        Bytes that have changed on the disk would load as other weights, so they are compared with
        the digest in the file.

        Raises:
            CheckpointError: the file is damaged, or holds anything else.
        """
        try:
            _check_whole(Path(path))
            checkpoint = torch.load(path, map_location=map_location, weights_only=True)
        except (FileNotFoundError, PermissionError):
            raise
        except Exception as error:
            raise CheckpointError(f"{path}: not a readable checkpoint ({_why(error)})") from error
        if not isinstance(checkpoint, dict) or not checkpoint.keys() >= _WANTED:
            raise CheckpointError(f"{path}: not a checkpoint of a run")
        _check_state(path, checkpoint["state_dict"])
        return checkpoint


def _remove_unfinished(folder: Path) -> None:
    """Remove what writers that were killed have left."""
    for path in folder.glob(".*.ckpt.*"):
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
    """Make ``target`` the same checkpoint as ``source`` in one moment, without writing it again."""
    with replacing_with(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, temporary)


def _append_digest(file: IO[bytes]) -> None:
    """Make the SHA-256 of a zip archive its comment; an archive ends with its comment's length."""
    file.seek(-2, os.SEEK_END)
    file.write(struct.pack("<H", _DIGEST_BYTES))
    file.write(_digest(file, file.tell()))


def _digest(file: IO[bytes], length: int) -> bytes:
    """SHA-256 of the first bytes of a file, which is read up to there."""
    sha = hashlib.sha256()
    file.seek(0)
    while block := file.read(min(1 << 20, length - file.tell())):
        sha.update(block)
    return f"sha256:{sha.hexdigest()}".encode()


def _check_whole(path: Path) -> None:
    size = path.stat().st_size
    if not size:
        raise ValueError("it is empty")
    with zipfile.ZipFile(path) as archive:
        comment = archive.comment
        if not comment and (damaged := archive.testzip()):
            raise ValueError(f"it is damaged: the checksum of {damaged} is wrong")
    with path.open("rb") as file:
        if comment and comment != _digest(file, size - len(comment)):
            raise ValueError("it is damaged: its SHA-256 is not the one at its end")


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
