"""Final figures of a run: metrics.json and the table at the end."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning as L
from rich.table import Table

from src.config.compose import named_settings
from src.config.schema import TrainConfig
from src.console import plain_console
from src.files import read_json
from src.runs.directory import RunDirectory
from src.runs.reader import best_row, last_values, read_rows, read_run
from src.training.callbacks.metrics_logger import MetricsLogger
from src.training.classifier import steps_per_epoch


def final_figures(
    config: TrainConfig,
    which: str,
    directory: RunDirectory,
    trainer: L.Trainer,
    tested: dict[str, float],
    seconds: float,
) -> dict[str, Any]:
    """The contents of ``metrics.json``.

    ``which`` names the weights that the accuracies and losses are of: ``best`` or ``last``.
    """
    rows = read_rows(directory)
    best = best_row(rows, config.callbacks.monitor)
    row = best if which == "best" else last_values(rows)
    last_epoch = -(-trainer.global_step // steps_per_epoch(trainer))
    logged = next(item for item in trainer.callbacks if isinstance(item, MetricsLogger))  # type: ignore[attr-defined]
    speed = logged.speed()
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
        "images": logged.images,
        "train_seconds": round(logged.seconds, 3),
        "startup_seconds": round(logged.startup_seconds, 3),
        "images_per_second": speed and round(speed, 2),
        "fit_and_test_seconds": round(seconds, 3),
    }


def chosen_settings(directory: RunDirectory) -> set[str]:
    """Settings in which the jobs of the run's sweep differ, or those of its own command line."""
    varying = read_json(directory.job).get("varying")
    return set(varying or named_settings(list(read_run(directory.path).overrides)))


def title(config: TrainConfig, figures: dict[str, Any]) -> str:
    """Network, data, length and test accuracy in one line."""
    model = config.model if isinstance(config.model, dict) else asdict(config.model)
    name = model.get("name") or model["_target_"]
    tested = figures.get("test/acc")
    result = "" if tested is None else f", test accuracy {tested:.2%}"
    return f"{name} on {config.data.name}, {_epochs(figures)}{result}"


def show(figures: dict[str, Any], path: Path) -> None:
    """Print the table of results."""
    table = Table()
    table.add_column(f"epoch {figures['checkpoint_epoch']}")
    for name in ("accuracy", "loss"):
        table.add_column(name, justify="right")
    val = "val (the test set)" if figures["validated_on"] == "test" else "val"
    for stage, label in (("train", "train"), ("val", val), ("test", "test")):
        accuracy, loss = figures.get(f"{stage}/acc"), figures.get(f"{stage}/loss")
        if accuracy is not None:
            table.add_row(label, f"{accuracy:.4f}", f"{loss:.4f}")
    console = plain_console()
    console.print(table)
    console.print(f"results in {path}", soft_wrap=True)
    speed = figures["images_per_second"]
    console.print(
        f"{_epochs(figures)}, {figures['steps']:,} steps, "
        f"{figures['startup_seconds']:.1f} s to start, {figures['train_seconds']:.1f} s of training"
        + (f", {speed:,.0f} images/s" if speed else "")
    )


def _epochs(figures: dict[str, Any]) -> str:
    return f"{figures['epochs']} epoch{'' if figures['epochs'] == 1 else 's'}"
