"""Parallel-coordinates chart: a line for each run, through its settings to its result."""

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from src.report.charts import FONT, INK
from src.report.comparison import Comparison
from src.report.formatting import heading, is_share
from src.report.varying_settings import ABSENT, label
from src.text import shorten

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


TICKS = 8
"""Values of a numeric setting up to which each has a tick."""

DECADE = 10.0
"""From this ratio on a positive setting is drawn on a logarithmic axis."""

LETTERS = 18
SPREAD = 0.06
"""Part of an axis over which the lines through one of its values are spread."""

SCALE = [[0.0, "#e3b062"], [0.5, "#8fa3c4"], [1.0, "#1f3f94"]]
"""From worst to best."""


def parallel_coordinates(report: Comparison) -> "Figure | None":
    """Draw the settings that vary and the metric as axes and each finished run as a line.

    Numbers stand where they belong, on a logarithmic axis when they span a decade; names at equal
    distances. Lines through one value are spread a little, by their results, to be told apart.

    Returns:
        The figure; None where nothing varies or no run has the metric.
    """
    runs = [run for run in report.finished if report.metric in run.figures]
    texts = {key: [run.settings.get(key, ABSENT) for run in runs] for key in report.columns}
    axes = [_axis(label(key), values) for key, values in texts.items() if len(set(values)) > 1]
    if not axes:
        return None
    from plotly.graph_objects import Figure, Parcoords

    share = is_share(report.metric)
    results = [(100.0 if share else 1.0) * run.figures[report.metric] for run in runs]
    _spread(axes, results)
    axes.append({"label": html.escape(heading(report.metric)), "values": results})
    line = {
        "color": results,
        "colorscale": SCALE,
        "reversescale": not share,
        "showscale": False,
    }
    lines = Parcoords(line=line, dimensions=axes, labelfont={"size": 13}, tickfont={"size": 12})
    figure = Figure(lines)
    font = {"family": FONT, "size": 13, "color": INK}
    margin = {"l": 90, "r": 64, "t": 56, "b": 24}
    return figure.update_layout(height=400, font=font, paper_bgcolor="white", margin=margin)


def _axis(name: str, texts: Sequence[str]) -> dict[str, Any]:
    numbers = [_number(text) for text in texts]
    axis: dict[str, Any] = {"label": html.escape(shorten(name, 26, keep_end=True))}
    if any(number is None for number in numbers):
        names = sorted(set(texts))
        places = {text: place for place, text in enumerate(names)}
        ticks = [html.escape(shorten(text, LETTERS, keep_end=True)) for text in names]
        return axis | {
            "values": [places[text] for text in texts],
            "tickvals": list(places.values()),
            "ticktext": ticks,
        }
    values = [number for number in numbers if number is not None]
    is_wide = min(values) > 0 and max(values) >= DECADE * min(values)
    drawn = [math.log10(value) if is_wide else value for value in values]
    ticks_at = dict(sorted(zip(drawn, texts, strict=True)))
    if is_wide or len(ticks_at) <= TICKS:
        axis |= _some_ticks(ticks_at)
    return axis | {"values": drawn}


def _spread(axes: Sequence[dict[str, Any]], results: Sequence[float]) -> None:
    order = sorted(range(len(results)), key=results.__getitem__)
    offsets = {run: place / max(len(order) - 1, 1) - 0.5 for place, run in enumerate(order)}
    for axis in axes:
        values = axis["values"]
        if len(set(values)) < len(values):
            reach = SPREAD * (max(values) - min(values))
            axis["values"] = [value + reach * offsets[run] for run, value in enumerate(values)]


def _some_ticks(ticks: dict[float, str]) -> dict[str, Any]:
    """All of them, or as many as fit from the first to the last."""
    places, texts = list(ticks), list(ticks.values())
    step = -(-(len(places) - 1) // (TICKS - 1)) or 1
    chosen = [*range(0, len(places) - 1, step), len(places) - 1]
    return {"tickvals": [places[i] for i in chosen], "ticktext": [texts[i] for i in chosen]}


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
