"""This project's training as ``python -m src.train`` runs it, without validation, checkpoints."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lightning.pytorch.callbacks import LambdaCallback

from src.config.schema import TrainConfig
from src.runs.directory import RunDirectory
from src.train.build import build_classifier, build_data
from src.train.trainer import build_trainer
from src.training.callbacks.stop_on_signal import StopRequest
from src.training.hardware import Compute


def train(config: TrainConfig, compute: Compute, step_done: Callable[[int], None]) -> None:
    """Fit with all that ``src.train`` does in a step; its logs are removed afterwards."""
    # Whole batches, and neither an end nor anything between epochs that takes its time.
    early_stopping = replace(config.callbacks.early_stopping, enabled=False)
    config = replace(
        config,
        data=replace(config.data, drop_last=True),
        trainer=replace(
            config.trainer, max_epochs=10**6, max_steps=None, check_val_every_n_epoch=10**6
        ),
        callbacks=replace(config.callbacks, checkpoint=False, early_stopping=early_stopping),
    )
    data = build_data(config)
    classifier, _ = build_classifier(config, data, compute)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        # The signals stay the worker's: nothing is to be saved before it ends.
        trainer = build_trainer(
            config, RunDirectory(Path(folder)), compute, None, StopRequest(None)
        )
        counter = LambdaCallback(
            on_train_batch_end=lambda trainer, module, outputs, batch, index: step_done(
                len(batch.labels)
            )
        )
        trainer.callbacks.append(counter)  # type: ignore[attr-defined]
        trainer.fit(classifier, datamodule=data)
