"""Checks of a run before it trains: same split, long enough, room for its checkpoints."""

import shutil
from math import ceil, inf
from pathlib import Path

from src.config.compose import named_settings
from src.config.schema import TrainConfig
from src.errors import UserError, as_user_errors
from src.runs.directory import RunDirectory
from src.runs.reader import read_run
from src.runs.record import read_record

STATE_TENSORS = {"sgd": 1, "muon": 1, "adam": 2, "adamw": 2}  # numbers for each weight
CHECKPOINT_FILES = 4  # best.ckpt, last.ckpt, previous.ckpt, and the one being written


def check_same_split(directory: RunDirectory, split_hash: str) -> None:
    """Refuse to resume a run on other training images than those of its record."""
    with as_user_errors():
        before = read_record(directory).get("data", {}).get("split_hash")
    if before not in (None, split_hash):
        raise UserError(
            f"resume={directory.path}: the training images are not those the run began with "
            f"(split {split_hash}, then {before}); is data.root the same data set?"
        )


def check_run_length(config: TrainConfig, train_images: int, directory: RunDirectory) -> None:
    """Refuse a run that would end before its first validation or weight average is due."""
    # Imported here: the process of a sweep, which checks the disk alone, holds no torch.
    from src.data.loader import batch_sizes

    trainer, ema = config.trainer, config.callbacks.ema
    sizes = batch_sizes(
        train_images,
        config.data.batch_size,
        ranks=trainer.devices * trainer.num_nodes,
        accumulate=trainer.accumulate_grad_batches,
        drop_last=config.data.drop_last,
    )
    batches = min(len(sizes), trainer.limit_train_batches or inf)
    epoch_steps = ceil(batches / trainer.accumulate_grad_batches)
    steps = min(trainer.max_steps or inf, epoch_steps * (trainer.max_epochs or inf))
    if ema.enabled and ema.every_n_steps > steps:
        raise UserError(
            f"callbacks.ema.every_n_steps={ema.every_n_steps}: the run ends after {steps} steps, "
            "so the average would stay at the initial weights"
        )
    if steps >= (first := epoch_steps * trainer.check_val_every_n_epoch):
        return
    reason = (
        f"trainer.max_steps={trainer.max_steps} ends the run before its first validation, "
        f"which is after step {first}"
    )
    if config.callbacks.early_stopping.enabled:
        raise UserError(f"callbacks.early_stopping.enabled=true: {reason}")
    named = named_settings(list(read_run(directory.path).overrides))
    if config.run.test_checkpoint == "best" and "test_checkpoint" in named:
        raise UserError(f"test_checkpoint=best: {reason}; choose test_checkpoint=last")


def estimate_checkpoint_bytes(config: TrainConfig, parameters: int) -> int:
    """Estimate of the size of a run's checkpoints, in bytes, rather above it.

    Only Muon with ``rest=adamw`` may need more: of the few weights that Muon does not update,
    AdamW keeps one number more than is counted.
    """
    if not config.callbacks.checkpoint:
        return 0
    name = config.optimizer["name"] if isinstance(config.optimizer, dict) else config.optimizer.name
    copies = 1 + STATE_TENSORS.get(name, 2) + config.callbacks.ema.enabled
    return CHECKPOINT_FILES * 4 * parameters * copies


def check_disk_space(directory: Path, needed: int) -> None:
    """Refuse a run whose checkpoints, of ``needed`` bytes, do not fit on the disk."""
    # Those that the run has already are replaced.
    checkpoints = directory.glob("checkpoints/*.ckpt")
    replaced = sum(path.stat().st_size for path in checkpoints if path.is_file())
    free = shutil.disk_usage(directory).free + replaced
    if needed > free:
        raise UserError(
            f"{directory}: the checkpoints need about {_size(needed)} and {_size(free)} are free; "
            "choose another place with hydra.run.dir=<directory> (of a sweep: hydra.sweep.dir), "
            "or write none with callbacks.checkpoint=false test_checkpoint=last"
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
