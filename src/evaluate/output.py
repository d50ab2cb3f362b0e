"""Terminal output of an evaluation."""

from pathlib import Path
from typing import Any

from rich.table import Column, Table

from src.console import plain_console
from src.inference.load_run import TrainedRun
from src.text import printable

SIGNIFICANCE_LEVEL = 0.05


def show_evaluation(metrics: dict[str, Any], trained: TrainedRun, output_dir: Path) -> None:
    """Print the metrics, over all images and by class."""
    console = plain_console()
    console.print(f"{trained.checkpoint} on {metrics['data']}", soft_wrap=True)
    table = _right_aligned("", "accuracy", "95% interval", "top 5", "loss", "ECE")
    table.add_row(f"{metrics['images']:,} images", *_row(metrics))
    if "tta" in metrics:
        table.add_row(f"with tta={metrics['tta']['views']}", *_row(metrics["tta"]))
    console.print(table)
    classes = _right_aligned("class", "images", "precision", "recall")
    for name, row in metrics["classes"].items():
        shares = _share(row["precision"]), _share(row["recall"])
        classes.add_row(printable(name), f"{row['images']:,}", *shares)
    console.print(classes)
    absent = [printable(name) for name, row in metrics["classes"].items() if not row["images"]]
    if absent:
        console.print(f"no images of: {', '.join(absent)}", soft_wrap=True)
    console.print("ECE: expected calibration error, the gap between confidence and accuracy")
    console.print(f"results in {output_dir}", soft_wrap=True)


def _right_aligned(first: str, *others: str) -> Table:
    return Table(first, *(Column(name, justify="right") for name in others))


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


def show_comparison(comparison: dict[str, Any], disagreements: Path) -> None:
    """Print the contents of ``comparison.json``: settings and results that differ, p-value."""
    columns = [Column(name, overflow="fold") for name in ("", "run", "against")]
    table = Table(*columns, title="against the other run", title_justify="left")
    for key, (mine, other) in comparison["settings"].items():
        table.add_row(key, str(mine), str(other))
    table.add_row("accuracy", f"{comparison['acc']:.2%}", f"{comparison['against_acc']:.2%}")
    right = str(comparison["first_only"]), str(comparison["second_only"])
    table.add_row("right where the other is wrong", *right)
    p_value = comparison["p_value"]
    verdict = "unlikely to be chance" if p_value < SIGNIFICANCE_LEVEL else "may well be chance"
    console = plain_console()
    console.print(table)
    console.print(
        f"difference {comparison['difference']:+.2%}, McNemar's exact test p = {p_value:.2g}: "
        f"{verdict}; they disagree on {comparison['disagreed']:,} images, listed in "
        f"{disagreements}",
        soft_wrap=True,
    )
