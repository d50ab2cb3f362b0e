"""Learning curves of a run, and their mean over the runs of a group."""

from collections.abc import Sequence
from dataclasses import dataclass

Rows = Sequence[dict[str, float]]

MOST = 300
"""Points that a curve of training steps is thinned to."""


@dataclass(frozen=True)
class Curve:
    """Values over epochs.

    Attributes:
        epochs: how many epochs were done, increasing; 1 is the end of the first.
        values: as many.
    """

    epochs: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is a point."""
        return bool(self.epochs)


def validation_curve(rows: Rows, name: str) -> Curve:
    """``val/acc`` or ``val/loss`` at the end of each epoch that has it."""
    points = {row["epoch"] + 1: row[name] for row in rows if name in row and "epoch" in row}
    return Curve(tuple(points), tuple(points.values()))


def training_curve(rows: Rows) -> Curve:
    """``train/loss`` over parts of epochs; where readings are many, means of neighbours."""
    ends = [row for row in rows if "train/loss_epoch" in row and "epoch" in row]
    done = ends[-1] if ends else max(rows, key=lambda row: row["step"], default={})
    steps = (done.get("step", 0) + 1) / (done.get("epoch", 0) + 1)
    points = [((row["step"] + 1) / steps, row["train/loss"]) for row in rows if "train/loss" in row]
    size = -(-len(points) // MOST) or 1
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    # A mean stands at the last of its readings: the curve ends where the training did.
    values = tuple(sum(value for _, value in part) / len(part) for part in parts)
    return Curve(tuple(part[-1][0] for part in parts), values)


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """The mean where every curve has a value, so that none that ends early bends it."""
    points = [dict(zip(curve.epochs, curve.values, strict=True)) for curve in curves]
    if not points:
        return Curve()
    shared = [epoch for epoch in points[0] if all(epoch in other for other in points[1:])]
    means = tuple(sum(each[epoch] for each in points) / len(points) for epoch in shared)
    return Curve(tuple(shared), means)
