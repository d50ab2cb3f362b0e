"""One training run: data, network, Trainer, test, figures."""

import logging
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning as L
import torch
from rich.console import Console
from rich.table import Table

from src.config import TrainConfig
from src.data.module import ImageDataModule
from src.runs import RunDirectory
from src.runs.files import write_json
from src.runs.results import best_row, last_values, read_rows
from src.training.callbacks import TrainingLog
from src.training.classifier import ImageClassifier
from src.training.loggers import log_settings
from src.training.precision import choose_precision
from src.workflows import hardware
from src.workflows.build import build_classifier, build_data
from src.workflows.failures import explained
from src.workflows.recorded import Recording, recorded
from src.workflows.trainer import build_trainer

log = logging.getLogger(__name__)

METRICS = {"val/acc", "val/loss", "test/acc", "test/loss"}


def run(config: TrainConfig, directory: RunDirectory) -> dict[str, Any]:
    """Train and test as ``config`` says, and leave everything in ``directory``.

    Returns:
        The final figures, as in ``metrics.json``.

    Raises:
        UserError: something the user can put right.
        RunFailed: training diverged or ran out of memory or disk.
        Interrupted: a signal stopped it; its state has been saved.
    """
    quiet_libraries()
    with recorded(directory, config) as recording, explained(config):
        return _run(config, directory, recording)


def _run(config: TrainConfig, directory: RunDirectory, recording: Recording) -> dict[str, Any]:
    accelerator = hardware.choose_accelerator(config.trainer.accelerator, config.trainer.devices)
    precision = choose_precision(config.trainer.precision, accelerator)
    if config.trainer.num_threads:
        torch.set_num_threads(config.trainer.num_threads)
    L.seed_everything(config.run.seed, workers=True, verbose=False)
    data = build_data(config)
    classifier, summary = build_classifier(config, data)
    directory.summary.write_text(summary.as_table() + "\n")
    if config.callbacks.model_summary:
        log.info("%s", summary.as_table())
    log.info("training on %s", hardware.describe(accelerator, config.trainer.devices, precision))
    recording.update(
        compute=hardware.facts(accelerator, precision),
        data=_facts(data),
        parameters=summary.parameters,
        multiply_adds=summary.multiply_adds,
    )
    resume = directory.last if config.run.resume else None
    trainer = build_trainer(config, directory, accelerator, precision, resume)
    began = time.perf_counter()
    trainer.fit(classifier, datamodule=data, ckpt_path=resume, weights_only=True)
    tested = _test(config, directory, trainer, classifier, data)
    figures = _figures(config, directory, trainer, tested, time.perf_counter() - began)
    if trainer.is_global_zero:
        write_json(directory.metrics, figures)
        log_settings(trainer.loggers, _settings(config), METRICS & figures.keys())
        show(figures, directory.path)
    return figures


def _test(
    config: TrainConfig,
    directory: RunDirectory,
    trainer: L.Trainer,
    classifier: ImageClassifier,
    data: ImageDataModule,
) -> dict[str, float]:
    """Meet the test set once, with the weights that ``test_checkpoint`` names."""
    which = config.run.test_checkpoint
    if which != "best" and trainer.global_step % _steps_per_epoch(trainer):
        # max_steps ended the run inside an epoch, before its validation.
        trainer.validate(classifier, datamodule=data, verbose=False)
    if which == "none":
        return {}
    path = directory.best if which == "best" else None
    (metrics,) = trainer.test(
        classifier, datamodule=data, ckpt_path=path, weights_only=True, verbose=False
    )
    return {name: float(value) for name, value in metrics.items()}


def _steps_per_epoch(trainer: L.Trainer) -> int:
    return -(-int(trainer.num_training_batches) // trainer.accumulate_grad_batches)


def _figures(
    config: TrainConfig,
    directory: RunDirectory,
    trainer: L.Trainer,
    tested: dict[str, float],
    seconds: float,
) -> dict[str, Any]:
    """The contents of ``metrics.json``: those of the tested weights, and the cost of them."""
    rows = read_rows(directory)
    which = config.run.test_checkpoint
    best = best_row(rows, config.callbacks.monitor)
    row = best if which == "best" else last_values(rows)
    last_epoch = -(-trainer.global_step // _steps_per_epoch(trainer))
    measured = next(item for item in trainer.callbacks if isinstance(item, TrainingLog))  # type: ignore[attr-defined]
    return {
        "val/acc": row.get("val/acc"),
        "val/loss": row.get("val/loss"),
        **tested,
        "train/acc": row.get("train/acc_epoch"),
        "train/loss": row.get("train/loss_epoch"),
        "checkpoint": which,
        "checkpoint_epoch": int(best["epoch"]) + 1 if which == "best" else last_epoch,
        "best_epoch": int(best.get("epoch", -1)) + 1,
        "monitor": config.callbacks.monitor,
        "validated_on": config.data.validate_on,
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "images": measured.images,
        "train_seconds": round(measured.seconds, 3),
        "images_per_second": round(measured.images / max(measured.seconds, 1e-9), 2),
        "fit_and_test_seconds": round(seconds, 3),
    }


def _settings(config: TrainConfig) -> dict[str, str | float | bool]:
    """The configuration as flat ``group.key`` pairs of plain values."""
    flat: dict[str, str | float | bool] = {}

    def add(node: Any, prefix: str) -> None:
        for key, value in node.items():
            if isinstance(value, dict):
                add(value, f"{prefix}{key}.")
            elif isinstance(value, (bool, int, float, str)):
                flat[f"{prefix}{key}"] = value
            else:
                flat[f"{prefix}{key}"] = str(value)

    add(asdict(config), "")
    return flat


def _facts(data: ImageDataModule) -> dict[str, Any]:
    assert data.data is not None
    return {
        "source": data.data.source,
        "classes": list(data.classes),
        "image_shape": list(data.image_shape),
        "train_images": len(data.train_indices),
        "val_images": len(data.val_indices),
        "test_images": len(data.test_set),
        "validate_on": data.config.validate_on,
        "split_hash": data.split_hash,
    }


def show(figures: dict[str, Any], path: Path) -> None:
    """Print the table of results."""
    epoch = figures["checkpoint_epoch"]
    table = Table()
    table.add_column(f"epoch {epoch}")
    for name in ("accuracy", "loss"):
        table.add_column(name, justify="right")
    for stage in ("train", "val", "test"):
        if figures.get(f"{stage}/acc") is not None:
            label = "val (the test set)" if stage == "val" and _is_test(figures) else stage
            accuracy, loss = figures[f"{stage}/acc"], figures[f"{stage}/loss"]
            table.add_row(label, f"{accuracy:.4f}", f"{loss:.4f}")
    console = Console()
    console.print(table)
    console.print(f"results in {path}", highlight=False, soft_wrap=True)
    console.print(
        f"{figures['epochs']} epochs, {figures['steps']:,} steps, "
        f"{figures['train_seconds']:.1f} s of training, "
        f"{figures['images_per_second']:,.0f} images/s",
        highlight=False,
    )


def _is_test(figures: dict[str, Any]) -> bool:
    return figures["validated_on"] == "test"


def quiet_libraries() -> None:
    """Keep advertisements and hints that are not for the user off the screen."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in ("treespec, LeafSpec", "Checkpoint directory .* exists and is not empty"):
        warnings.filterwarnings("ignore", message=f".*{message}")
