"""Terminal output of an evaluation."""

from pathlib import Path
from typing import Any

from rich.table import Table

from src.console import plain_console
from src.evaluate.mcnemar import Comparison
from src.inference.load_run import TrainedRun
from src.inference.predictions import Predictions
from src.text import printable

SIGNIFICANCE_LEVEL = 0.05


def show_evaluation(metrics: dict[str, Any], trained: TrainedRun, output_dir: Path) -> None:
    """Print the metrics, over all images and by class."""
    console = plain_console()
    console.print(f"{trained.checkpoint} on {metrics['data']}", soft_wrap=True)
    table = Table()
    for name in ("", "accuracy", "95% interval", "top 5", "loss", "ECE"):
        table.add_column(name, justify="right" if name else "left")
    table.add_row(f"{metrics['images']:,} images", *_row(metrics))
    if "tta" in metrics:
        table.add_row(f"with tta={metrics['tta']['views']}", *_row(metrics["tta"]))
    console.print(table)
    classes = Table()
    for name in ("class", "images", "precision", "recall"):
        classes.add_column(name, justify="left" if name == "class" else "right")
    absent = [printable(name) for name, row in metrics["classes"].items() if not row["images"]]
    for name, row in metrics["classes"].items():
        classes.add_row(
            printable(name), f"{row['images']:,}", _share(row["precision"]), _share(row["recall"])
        )
    console.print(classes)
    if absent:
        console.print(f"no images of: {', '.join(absent)}", soft_wrap=True)
    console.print("ECE: expected calibration error, the gap between confidence and accuracy")
    console.print(f"results in {output_dir}", soft_wrap=True)


def _row(metrics: dict[str, Any]) -> list[str]:
    low, high = metrics["acc_interval"]
    top5 = metrics["top5_acc"]
    return [
        f"{metrics['acc']:.2%}",
        f"{100 * low:.2f}–{high:.2%}",
        "" if top5 is None else f"{top5:.2%}",
        f"{metrics['loss']:.4f}",
        f"{metrics['calibration_error']:.4f}",
    ]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def show_comparison(
    predictions: Predictions,
    other_predictions: Predictions,
    comparison: Comparison,
    differences: dict[str, tuple[Any, Any]],
    output_dir: Path,
) -> None:
    """Print the settings and results in which two runs differ, with the p-value."""
    console = plain_console()
    table = Table(title="against the other run", title_justify="left")
    for name in ("", "run", "against"):
        table.add_column(name, overflow="fold")
    for key, (mine, other) in differences.items():
        table.add_row(key, str(mine), str(other))
    table.add_row(
        "accuracy", f"{predictions.correct.mean():.2%}", f"{other_predictions.correct.mean():.2%}"
    )
    table.add_row(
        "right where the other is wrong", f"{comparison.first_only}", f"{comparison.second_only}"
    )
    console.print(table)
    verdict = (
        "unlikely to be chance" if comparison.p_value < SIGNIFICANCE_LEVEL else "may well be chance"
    )
    console.print(
        f"difference {comparison.difference:+.2%}, "
        f"McNemar's exact test p = {comparison.p_value:.2g}: "
        f"{verdict}; they disagree on {len(comparison.disagreed):,} images, listed in "
        f"{output_dir / 'disagreements.csv'}",
        soft_wrap=True,
    )
