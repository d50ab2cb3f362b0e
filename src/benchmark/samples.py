"""Repeated measurements of one quantity."""

from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass
class Samples:
    """The values of repeated measurements, in the order they were taken."""

    unit: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle value, which one disturbed measurement does not move."""
        return median(self.values)

    def over(self, other: "Samples") -> "Samples":
        """The ratio round by round, which a machine whose speed drifts hardly changes."""
        pairs = zip(self.values, other.values, strict=False)  # the last round may be half done
        return Samples("", [ours / theirs for ours, theirs in pairs])

    def as_json(self) -> dict[str, Any]:
        """Median, extremes and every value."""
        extremes = {"min": min(self.values), "max": max(self.values)}
        return {"median": self.median, **extremes, "unit": self.unit, "values": self.values}

    def text(self, digits: int) -> str:
        """``median (min–max)``, or the only value."""
        if len(self.values) == 1:
            return f"{self.median:,.{digits}f}"
        low, high = min(self.values), max(self.values)
        return f"{self.median:,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})"

    @property
    def digits(self) -> int:
        """Decimals that make three figures or so."""
        return 0 if self.median >= 100 else 1 if self.median >= 10 else 3
