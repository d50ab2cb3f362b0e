"""Errors from deep inside a run, said in the terms of its settings."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightning.fabric.utilities.exceptions import MisconfigurationException

from src.config import RunFailed, TrainConfig, UserError
from src.config.errors import is_out_of_memory, one_line
from src.training.checkpoint import CheckpointError


@contextmanager
def explained(config: TrainConfig) -> Iterator[None]:
    """Turn running out of memory or disk into one line that says what to change.

    Raises:
        RunFailed: in place of those errors.
        UserError: for a checkpoint that cannot be used, for batches that batch norm cannot do
            with, and in place of Lightning's errors about settings that do not go together.
    """
    try:
        yield
    except (MisconfigurationException, CheckpointError) as error:
        raise UserError(one_line(error)) from error
    except ValueError as error:
        if "more than 1 value per channel" in str(error):
            raise UserError(
                f"data.batch_size={config.data.batch_size}: batch norm cannot do with one image of "
                "a single pixel, which is what this network makes of it; take more images a batch"
            ) from error
        raise
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise RunFailed(_memory(config)) from error
        if "Error(s) in loading state_dict" in str(error):
            raise UserError(f"the checkpoint is of another network: {one_line(error)}") from error
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise RunFailed(f"{where}cannot be written or read: {one_line(error)}") from error


def _memory(config: TrainConfig) -> str:
    size, parts = config.data.batch_size, config.trainer.accumulate_grad_batches
    return (
        f"out of memory with data.batch_size={size}; try data.batch_size={max(size // 2, 1)} "
        f"trainer.accumulate_grad_batches={parts * 2}, which takes the same steps"
    )
