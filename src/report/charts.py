"""Plotly charts of a page: learning curves, accuracy against time."""

import html
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from src.report.comparison import Comparison
from src.report.curves import Curve, mean_curve
from src.report.formatting import heading, is_share, time_unit
from src.report.groups import ALL, Group
from src.report.load import RunResult
from src.report.varying_settings import label
from src.text import shorten

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


COLOURS = (
    "#4269d0",
    "#e08a00",
    "#d6455d",
    "#2f9e8f",
    "#8a5fd0",
    "#7a5c46",
    "#3c9c3c",
    "#d463a4",
    "#5f7f95",
    "#a8971f",
)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
"""What tells groups apart once the colours are used up."""

INK = "#26303b"
FAINT = "#e6e9ed"
GREY = "#8d97a3"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def colour(place: int) -> str:
    """The colour of the group in a place of the leaderboard, 0 the best."""
    return COLOURS[place % len(COLOURS)]


def dash(place: int) -> str:
    """Its line."""
    return DASHES[place // len(COLOURS) % len(DASHES)]


def mpl_dash(place: int) -> str:
    """Its line, in Matplotlib's words; what has none is dotted."""
    return {"dashdot": "dashdot", "dash": "dashed", "solid": "solid"}.get(dash(place), "dotted")


def translucent(hexadecimal: str, opacity: float) -> str:
    """A colour that lets others through."""
    red, green, blue = (int(hexadecimal[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def style(figure: "Figure", height: int = 420, **layout: Any) -> "Figure":
    """Give a figure the look of the page; ``layout`` is Plotly's own."""
    axis = {
        "gridcolor": FAINT,
        "linecolor": "#c5ccd3",
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": "#c5ccd3",
        "title": {"standoff": 10},
    }
    figure.update_layout(
        height=height,
        font={"family": FONT, "size": 13, "color": INK},
        paper_bgcolor="white",
        plot_bgcolor="white",
        margin={"l": 64, "r": 16, "t": 16, "b": 52},
        hoverlabel={"bgcolor": "white", "bordercolor": "#c5ccd3", "font": {"size": 13}},
        legend={"bgcolor": "rgba(255,255,255,0.8)", "font": {"size": 12}, "tracegroupgap": 2},
    )
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure.update_layout(**layout)


SHOWN = 10
"""Groups, the best of them, that are drawn at first; others wait in the legend."""

DIGITS = 5
"""After the point: more is not seen, and makes the page large."""

LETTERS = 34
"""That fit into a legend."""


def curve_name(metric: str) -> str:
    """Which curve belongs to a metric: the one of the validation images."""
    return f"val/{metric.partition('/')[2]}"


def learning_curves(report: Comparison, name: str) -> "Figure | None":
    """Draw a figure over epochs: the mean of each group, its runs as thin lines behind.

    Args:
        report: the runs.
        name: ``val/acc``, ``val/loss`` or ``train/loss``.

    Returns:
        The figure; None when no run has a point.
    """
    from plotly.graph_objects import Figure

    scale = 100.0 if is_share(name) else 1.0
    lines = [
        line
        for place, group in enumerate(report.groups)
        for line in _group_lines(group, place, name, scale)
    ]
    lines += _unfinished_lines(report.unfinished, name, scale)
    if not lines:
        return None
    figure = style(Figure(lines), legend_title_text=_legend_title(report))
    figure.update_xaxes(title_text="epoch", rangemode="tozero")
    return figure.update_yaxes(title_text=heading(name))


def cost(report: Comparison) -> "Figure | None":
    """Draw the metric of each run against the time that its training took."""
    from plotly.graph_objects import Figure, Scatter

    scale = 100.0 if is_share(report.metric) else 1.0
    needed = {report.metric, "train_seconds"}
    places = [(p, [r for r in g.runs if needed <= r.figures.keys()]) for p, g in _placed(report)]
    seconds = [run.figures["train_seconds"] for _, runs in places for run in runs]
    if not seconds:
        return None
    unit, size = time_unit(seconds)
    points = [
        Scatter(
            x=[run.figures["train_seconds"] / size for run in runs],
            y=[scale * run.figures[report.metric] for run in runs],
            mode="markers",
            marker={"size": 10, "color": colour(place), "symbol": _symbol(place), "opacity": 0.85},
            text=[_hover(run) for run in runs],
            hovertemplate=f"%{{text}}<br>%{{y:.5g}} after %{{x:.4g}} {unit}<extra></extra>",
            **_legend(report.groups[place], place) | {"visible": True},
        )
        for place, runs in places
        if runs
    ]
    # Over more than a decade the fast ones would stand on top of each other.
    kind = "log" if min(seconds) > 0 and max(seconds) > 10 * min(seconds) else "linear"
    figure = style(Figure(points), legend_title_text=_legend_title(report))
    figure.update_layout(showlegend=True)
    figure.update_xaxes(title_text=f"training time ({unit})", type=kind)
    return figure.update_yaxes(title_text=heading(report.metric))


def _placed(report: Comparison) -> Iterator[tuple[int, Group]]:
    yield from enumerate(report.groups)


def _group_lines(group: Group, place: int, name: str, scale: float) -> Iterator[Any]:
    runs = [run for run in group.runs if run.curves.get(name)]
    if not runs:
        return
    line = {"color": colour(place), "dash": dash(place)}
    if len(runs) > 1:
        thin = {"color": translucent(colour(place), 0.3), "width": 1}
        for run in runs:
            yield _line(run.curves[name], scale, _hover(run), thin) | _hidden(place)
    text = html.escape(group.name) if len(runs) > 1 else _hover(runs[0])
    mean = mean_curve([run.curves[name] for run in runs])
    bold = _line(mean, scale, text, line | {"width": 2.5})
    if len(mean.epochs) < 3:
        bold |= {"mode": "lines+markers"}
    yield bold | _legend(group, place)


def _unfinished_lines(runs: Sequence[RunResult], name: str, scale: float) -> Iterator[Any]:
    line = {"color": GREY, "width": 1.2, "dash": "dot"}
    shown = [run for run in runs if run.curves.get(name)]
    for number, run in enumerate(shown):
        text = f"{_hover(run)}<br>{html.escape(run.state)}"
        legend = {"name": "not finished", "legendgroup": "unfinished", "showlegend": not number}
        yield _line(run.curves[name], scale, text, line) | legend


def _line(curve: Curve, scale: float, text: str, line: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [round(epoch, DIGITS) for epoch in curve.epochs],
        "y": [round(scale * value, DIGITS) for value in curve.values],
        "line": line,
        "hovertemplate": f"{text}<br>epoch %{{x:.4g}}: %{{y:.5g}}<extra></extra>",
    }


def _legend(group: Group, place: int) -> dict[str, Any]:
    values = shorten(", ".join(group.settings.values()) or ALL, LETTERS, keep_end=True)
    visible = True if place < SHOWN else "legendonly"
    return {"name": html.escape(values), "legendgroup": str(place), "visible": visible}


def _hidden(place: int) -> dict[str, Any]:
    visible = True if place < SHOWN else "legendonly"
    return {"legendgroup": str(place), "showlegend": False, "visible": visible}


def _legend_title(report: Comparison) -> str:
    names = ", ".join(label(key) for key in report.columns)
    return html.escape(shorten(names, LETTERS))


def _hover(run: RunResult) -> str:
    """The directory of a run; per cent signs and braces would be taken for a format."""
    return html.escape(str(run.path)).replace("%{", "%&#123;")


def _symbol(place: int) -> str:
    return ("circle", "square", "diamond", "cross", "triangle-up")[place // 10 % 5]
