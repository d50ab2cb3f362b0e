"""Terminal output of an evaluation."""

from pathlib import Path
from typing import Any

from rich.table import Table

from src.console import plain_console
from src.evaluate.mcnemar import Comparison
from src.inference.load_run import TrainedRun
from src.inference.predictions import Predictions
from src.text import printable

CERTAIN = 0.05


def show_evaluation(figures: dict[str, Any], trained: TrainedRun, place: Path) -> None:
    """Print the figures, and a row a class."""
    console = plain_console()
    console.print(f"{trained.checkpoint} on {figures['data']}", soft_wrap=True)
    table = Table()
    for name in ("", "accuracy", "95% interval", "top 5", "loss", "ECE"):
        table.add_column(name, justify="right" if name else "left")
    table.add_row(f"{figures['images']:,} images", *_row(figures))
    if "tta" in figures:
        table.add_row(f"with tta={figures['tta']['views']}", *_row(figures["tta"]))
    console.print(table)
    classes = Table()
    for name in ("class", "images", "precision", "recall"):
        classes.add_column(name, justify="left" if name == "class" else "right")
    absent = [printable(name) for name, row in figures["classes"].items() if not row["images"]]
    for name, row in figures["classes"].items():
        classes.add_row(
            printable(name), f"{row['images']:,}", _share(row["precision"]), _share(row["recall"])
        )
    console.print(classes)
    if absent:
        console.print(f"no images of: {', '.join(absent)}", soft_wrap=True)
    console.print("ECE: expected calibration error, the gap between confidence and accuracy")
    console.print(f"results in {place}", soft_wrap=True)


def _row(figures: dict[str, Any]) -> list[str]:
    low, high = figures["acc_interval"]
    top5 = figures["top5_acc"]
    return [
        f"{figures['acc']:.2%}",
        f"{100 * low:.2f}–{high:.2%}",
        "" if top5 is None else f"{top5:.2%}",
        f"{figures['loss']:.4f}",
        f"{figures['calibration_error']:.4f}",
    ]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def show_comparison(
    ours: Predictions,
    theirs: Predictions,
    found: Comparison,
    differences: dict[str, tuple[Any, Any]],
    place: Path,
) -> None:
    """Print where two runs differ, in settings and in result, and whether chance explains it."""
    console = plain_console()
    table = Table(title="against the other run", title_justify="left")
    for name in ("", "run", "against"):
        table.add_column(name, overflow="fold")
    for key, (mine, other) in differences.items():
        table.add_row(key, str(mine), str(other))
    table.add_row("accuracy", f"{ours.correct.mean():.2%}", f"{theirs.correct.mean():.2%}")
    table.add_row("right where the other is wrong", f"{found.first_only}", f"{found.second_only}")
    console.print(table)
    verdict = "unlikely to be chance" if found.p_value < CERTAIN else "may well be chance"
    console.print(
        f"difference {found.difference:+.2%}, McNemar's exact test p = {found.p_value:.2g}: "
        f"{verdict}; they disagree on {len(found.disagreed):,} images, listed in "
        f"{place / 'disagreements.csv'}",
        soft_wrap=True,
    )
