"""Check before training that the run is long enough for its settings."""

from math import ceil, inf

from src.config.compose import named_settings
from src.config.schema import TrainConfig
from src.data.loader import batch_sizes
from src.data.module import ImageDataModule
from src.errors import UserError
from src.runs.directory import RunDirectory
from src.runs.reader import read_run


def check_run_length(config: TrainConfig, data: ImageDataModule, directory: RunDirectory) -> None:
    """Refuse a run that would end before its first validation or weight average is due."""
    trainer, ema = config.trainer, config.callbacks.ema
    sizes = batch_sizes(
        len(data.train_indices),
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
