"""Atomic checkpoints: whenever the process dies, a complete one exists.

A checkpoint is a zip archive whose comment is the SHA-256 of all bytes before it, which reveals
damage. One without a comment, as version 0.1 and ``torch.save`` write it, is checked by the CRC-32
of its members.
"""

import hashlib
import logging
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

from src.errors import UserError, one_line
from src.files import replacing, replacing_with
from src.runs.directory import RunDirectory

log = logging.getLogger(__name__)

# What a run is resumed from, by type.
_TRAINING_STATE = {
    int: ("global_step", "epoch"),
    dict: ("loops", "callbacks", "train_metrics"),
    list: ("optimizer_states", "lr_schedulers"),
}
_DIGEST_BYTES = len("sha256:") + 64
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"


class CheckpointError(ValueError):
    """A file that is damaged, or is not a checkpoint of a run."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes to a temporary file in the same directory, flushes it to the disk, then renames it.

    Lightning moves a file from the system's temporary directory over the old one; on another file
    system that is a copy, and a full disk leaves half a checkpoint. A replaced ``last.ckpt`` is
    kept as ``previous.ckpt``. Only one process at a time may write to a directory.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        target = Path(path)
        folder = target.parent
        folder.mkdir(parents=True, exist_ok=True)
        for part in folder.glob(".*.ckpt.*"):  # temporary files of processes that were killed
            shutil.rmtree(part) if part.is_dir() and not part.is_symlink() else part.unlink()
        with replacing(target, "w+b") as file:
            _save(checkpoint, file)
            # The digest becomes the archive's comment, which follows its own length.
            file.seek(-2, os.SEEK_END)
            file.write(struct.pack("<H", _DIGEST_BYTES))
            file.write(_digest(file, file.tell()))
            file.flush()
            if target.name == LAST and target.exists():
                put_in_place(target, folder / PREVIOUS)

    def load_checkpoint(
        self, path: Any, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read tensors and plain values; raise CheckpointError if damaged or of other objects."""
        try:
            _check_intact(Path(path))
            checkpoint = torch.load(path, map_location=map_location, weights_only=True)
        except (FileNotFoundError, PermissionError):
            raise
        except Exception as error:
            message = f"{path}: not a readable checkpoint ({_reason(error)})"
            raise CheckpointError(message) from error
        parts = {"state_dict", "global_step", "epoch"}
        if not isinstance(checkpoint, dict) or not checkpoint.keys() >= parts:
            raise CheckpointError(f"{path}: not a checkpoint of a run")
        weights = checkpoint["state_dict"]
        named = isinstance(weights, dict) and all(isinstance(name, str) for name in weights)
        if not named or not all(isinstance(value, Tensor) for value in weights.values()):
            raise CheckpointError(
                f"{path}: not a checkpoint of a run (its state_dict is not made of named tensors)"
            )
        return checkpoint


def _save(checkpoint: dict[str, Any], file: IO[bytes]) -> None:
    try:
        torch.save(checkpoint, file)
    except RuntimeError as error:
        # On a full disk torch raises a second error when it closes the archive.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def put_in_place(source: Path, target: Path) -> None:
    """Replace ``target`` by the content of ``source`` atomically, by a hard link if possible."""
    with replacing_with(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, temporary)


def _digest(file: IO[bytes], length: int) -> bytes:
    """SHA-256 of the first ``length`` bytes of a file, which is left at that position."""
    sha = hashlib.sha256()
    file.seek(0)
    while block := file.read(min(1 << 20, length - file.tell())):
        sha.update(block)
    return f"sha256:{sha.hexdigest()}".encode()


def _check_intact(path: Path) -> None:
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


def _reason(error: Exception) -> str:
    """Reason of a failed load, without torch's advice to set weights_only=False."""
    if isinstance(error, pickle.UnpicklingError):
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"asks for {named[1]}" if named else "holds more than tensors and plain values"
        return f"it {what}, which is refused; nothing of it was executed"
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def restore_last(directory: RunDirectory) -> int:
    """Replace a ``last.ckpt`` that is damaged or missing by the newest whole checkpoint.

    Returns its step, 0 of a run without any checkpoint. The damaged file is kept beside it.
    """
    steps: dict[Path, int] = {}
    problems = []
    for path in directory.resumable:
        try:
            steps[path] = _resumable_step(path)
        except CheckpointError as error:
            problems.append(one_line(error))
        except OSError as error:
            # A file without read permission may be whole: no older one takes its place.
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        if directory.last in steps:
            return steps[directory.last]
    if not steps:
        if problems:
            raise UserError(f"nothing to continue from: {'; '.join(problems)}")
        return 0
    chosen = max(steps, key=lambda path: steps[path])
    reason = "; ".join(problems) or f"{directory.last} is gone"
    log.warning("%s; going on from %s, of step %d", reason, chosen.name, steps[chosen])
    if directory.last.exists():
        damaged, number = directory.last.with_name("last.ckpt.damaged"), 1
        while damaged.exists():
            number += 1
            damaged = directory.last.with_name(f"last.ckpt.damaged.{number}")
        directory.last.replace(damaged)
    put_in_place(chosen, directory.last)
    return steps[chosen]


def _resumable_step(path: Path) -> int:
    """Step of a checkpoint; :class:`CheckpointError` unless it has the whole training state."""
    checkpoint = AtomicCheckpointIO().load_checkpoint(path)
    for kind, names in _TRAINING_STATE.items():
        for name in names:
            if not isinstance(checkpoint.get(name), kind):
                raise CheckpointError(f"{path}: not a state to go on from ({name} is missing)")
    if not checkpoint["optimizer_states"] or not checkpoint["lr_schedulers"]:
        raise CheckpointError(f"{path}: not a state to go on from (without its optimizer)")
    return int(checkpoint["global_step"])
