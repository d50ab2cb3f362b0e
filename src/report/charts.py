"""Charts of a comparison: by Plotly for the page, by Matplotlib in one picture for a document."""

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from src.errors import UserError
from src.plotting import as_pixels, as_png, new_figure
from src.report.comparison import Comparison
from src.report.formatting import heading, is_share, scale, time_unit
from src.report.load import RunResult
from src.report.statistics import ALL, Group
from src.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from plotly.graph_objects import Figure

COLORS = (
    *("#4269d0", "#e08a00", "#d6455d", "#2f9e8f", "#8a5fd0"),
    *("#7a5c46", "#3c9c3c", "#d463a4", "#5f7f95", "#a8971f"),
)
# They tell groups of the same color apart.
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up")

GRAY = "#8d97a3"
EDGE = "#c5ccd3"
FONT = {
    "family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "size": 13,
    "color": "#26303b",
}
AXIS = {
    "gridcolor": "#e6e9ed",
    "linecolor": EDGE,
    "zeroline": False,
    "ticks": "outside",
    "tickcolor": EDGE,
    "title_standoff": 10,
}
WORST_TO_BEST = [[0.0, "#e3b062"], [0.5, "#8fa3c4"], [1.0, "#1f3f94"]]

SHOWN = 10  # groups that are drawn at first, the best; others are switched on in the legend
DIGITS = 5  # after the point: more are not seen, and make the page large
LETTERS, TICK_LETTERS, AXIS_LETTERS = 34, 18, 26  # most in a legend, at a tick, above an axis
TICKS = 8  # most ticks of a numeric setting
PICTURED = 12  # groups that a picture can tell apart; of more the best are shown
SMALL_LETTERS, GAP = 160, 8  # of small print: across the picture, and beside a line's sample
SPREAD = 0.06  # part of an axis over which the lines through one of its values are spread


def group_color(place: int) -> str:
    """The color of the group in a place of the leaderboard, 0 the best."""
    return COLORS[place % len(COLORS)]


def learning_curves(report: Comparison, name: str) -> "Figure | None":
    """Draw a curve over epochs: the mean of each group, its runs as thin lines behind.

    None when no run has a point.
    """
    lines = []
    for place, group in enumerate(report.groups):
        runs = [run for run in group.runs if name in run.curves]
        shared = {"legendgroup": str(place), "visible": True if place < SHOWN else "legendonly"}
        if len(runs) > 1:
            thin = {"color": group_color(place), "width": 1}
            faint = {"opacity": 0.3, "showlegend": False} | shared
            lines += [_line(run.curves[name], name, _hover(run), thin) | faint for run in runs]
        if runs:
            mean = group.curve(name)
            mode = "lines" if len(mean) > 2 else "lines+markers"
            text = html.escape(group.name) if len(runs) > 1 else _hover(runs[0])
            bold = {"color": group_color(place), "dash": _of_decade(DASHES, place), "width": 2.5}
            legend = {"mode": mode, "name": _legend(group)} | shared
            lines.append(_line(mean, name, text, bold) | legend)
    gray = {"color": GRAY, "width": 1.2, "dash": "dot"}
    unfinished = [run for run in report.unfinished if name in run.curves]
    for number, run in enumerate(unfinished):
        text = f"{_hover(run)}<br>{html.escape(run.state)}"
        legend = {"name": "not finished", "legendgroup": "unfinished", "showlegend": not number}
        lines.append(_line(run.curves[name], name, text, gray) | legend)
    if not lines:
        return None
    return _chart(report, lines, {"title_text": "epoch", "rangemode": "tozero"}, name)


def cost(report: Comparison) -> "Figure | None":
    """Draw the metric of each run against its training time; None when none has both."""
    needed = {report.metric, "train_seconds"}
    placed = [[r for r in group.runs if needed <= r.figures.keys()] for group in report.groups]
    seconds = [run.figures["train_seconds"] for runs in placed for run in runs]
    if not seconds:
        return None
    unit, size = time_unit(max(seconds))
    points = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [run.figures["train_seconds"] / size for run in runs],
            "y": [scale(report.metric) * run.figures[report.metric] for run in runs],
            "marker": {
                "size": 10,
                "color": group_color(place),
                "symbol": _of_decade(SYMBOLS, place),
                "opacity": 0.85,
            },
            "text": [_hover(run) for run in runs],
            "hovertemplate": f"%{{text}}<br>%{{y:.5g}} after %{{x:.4g}} {unit}<extra></extra>",
            "name": _legend(report.groups[place]),
            "legendgroup": str(place),
        }
        for place, runs in enumerate(placed)
        if runs
    ]
    # Over more than a decade the fast ones would stand on top of each other.
    kind = "log" if min(seconds) > 0 and max(seconds) > 10 * min(seconds) else "linear"
    axis = {"title_text": f"training time ({unit})", "type": kind}
    return _chart(report, points, axis, report.metric, showlegend=True)


def _chart(
    report: Comparison, traces: list[dict[str, Any]], xaxis: dict[str, Any], y: str, **layout: Any
) -> "Figure":
    from plotly.graph_objects import Figure

    title = shorten(", ".join(report.columns), LETTERS)
    return Figure(traces).update_layout(
        height=440,
        font=FONT,
        paper_bgcolor="white",
        plot_bgcolor="white",
        # The buttons of the chart stand above its legend, and would cover its title.
        margin={"l": 64, "r": 16, "t": 40, "b": 52},
        hoverlabel={"bgcolor": "white", "bordercolor": EDGE, "font_size": 13},
        legend={
            "bgcolor": "rgba(255,255,255,0.8)",
            "font_size": 12,
            "tracegroupgap": 2,
            "title_text": html.escape(title),
        },
        xaxis=AXIS | xaxis,
        yaxis=AXIS | {"title_text": heading(y)},
        **layout,
    )


def _line(curve: "pd.Series[float]", name: str, text: str, line: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        # Lists: Plotly would write arrays in base64.
        "x": [round(epoch, DIGITS) for epoch in curve.index],
        "y": [round(scale(name) * value, DIGITS) for value in curve],
        "line": line,
        "hovertemplate": f"{text}<br>epoch %{{x:.4g}}: %{{y:.5g}}<extra></extra>",
    }


def _of_decade(options: Sequence[str], place: int) -> str:
    """The line or symbol of a place of the leaderboard: another for every ten groups."""
    return options[place // len(COLORS) % len(options)]


def _legend(group: Group) -> str:
    values = ", ".join(group.settings.values()) or ALL
    return html.escape(shorten(values, LETTERS, keep_end=True))


def _hover(run: RunResult) -> str:
    """The directory of a run; per cent signs and braces would be taken for a format."""
    return html.escape(str(run.path)).replace("%{", "%&#123;")


def parallel_coordinates(report: Comparison) -> "Figure | None":
    """Draw the settings that vary and the metric as axes and each finished run as a line.

    Numbers stand where they belong, on a logarithmic axis when they span a decade; names at equal
    distances. Lines through one value are spread a little, by their results, to be told apart.
    None where nothing varies or no run has the metric.
    """
    runs = [run for run in report.finished if report.metric in run.figures]
    texts = {key: [run.setting(key) for run in runs] for key in report.columns}
    axes = [_axis(key, values) for key, values in texts.items() if len(set(values)) > 1]
    if not axes:
        return None
    from plotly.graph_objects import Figure, Parcoords

    results = pd.Series([scale(report.metric) * run.figures[report.metric] for run in runs])
    ranks = (results.rank(method="first") - 1) / max(len(results) - 1, 1) - 0.5
    for axis in axes:
        values = pd.Series(axis["values"])
        reach = 0 if values.is_unique else SPREAD * (values.max() - values.min())
        axis["values"] = (values + reach * ranks).tolist()
    axes.append({"label": html.escape(heading(report.metric)), "values": results.tolist()})
    line = {
        "color": results.tolist(),
        "colorscale": WORST_TO_BEST,
        "reversescale": not is_share(report.metric),
        "showscale": False,
    }
    lines = Parcoords(line=line, dimensions=axes, labelfont={"size": 13}, tickfont={"size": 12})
    margin = {"l": 90, "r": 64, "t": 56, "b": 24}
    return Figure(lines).update_layout(height=400, font=FONT, paper_bgcolor="white", margin=margin)


def _axis(name: str, texts: Sequence[str]) -> dict[str, Any]:
    """An axis of numbers, or of names at equal distances."""
    axis: dict[str, Any] = {"label": html.escape(shorten(name, AXIS_LETTERS, keep_end=True))}
    values = pd.to_numeric(pd.Series(texts), errors="coerce").astype(float)
    if not np.isfinite(values).all():
        places, names = pd.factorize(np.array(texts, dtype=object), sort=True)
        ticks = [html.escape(shorten(text, TICK_LETTERS, keep_end=True)) for text in names]
        return axis | {"values": places, "tickvals": [*range(len(names))], "ticktext": ticks}
    is_wide = values.min() > 0 and values.max() >= 10 * values.min()
    if is_wide:
        values = np.log10(values)
    ticks_at = sorted(dict(zip(values, texts, strict=True)).items())
    if is_wide or len(ticks_at) <= TICKS:
        # All of them, or as many as fit from the first to the last.
        step = -(-(len(ticks_at) - 1) // (TICKS - 1)) or 1
        chosen = [*ticks_at[:-1:step], ticks_at[-1]]
        axis |= {"tickvals": [at for at, _ in chosen], "ticktext": [text for _, text in chosen]}
    return axis | {"values": values}


def picture(report: Comparison) -> bytes:
    """A PNG of the groups' training loss, validation accuracy and gradient norms, means over seeds.

    The norms are those of each stage's gradient, averaged over the training, from the stem to the
    classifier; runs that did not log them are left out of that panel.
    """
    if not report.groups:
        raise UserError(f"{report.title}: no finished run to draw")
    figure = new_figure(12, 4.2, layout="constrained")
    loss, accuracy, norms = figure.subplots(1, 3)
    for place, group in enumerate(report.groups[:PICTURED]):
        line = "solid" if place < len(COLORS) else "dashed"
        style = {"color": group_color(place), "linestyle": line, "linewidth": 1.4}
        loss.plot(group.curve("train/loss"), **style)
        accuracy.plot(100 * group.curve("val/acc"), label=group.name, **style)
        depths = pd.DataFrame([run.gradients for run in group.runs]).mean()
        norms.plot(depths, marker="o", markersize=4, **style)
    for axes, title, label in (
        (loss, "training loss", "epoch"),
        (accuracy, "validation accuracy in %", "epoch"),
        (norms, "gradient norm by depth", "stage"),
    ):
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel(label)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    _logarithmic(loss)
    if norms.dataLim.ymin > 0:
        _logarithmic(norms)
    # As many names in a row as there is room for; of a long one its beginning and end.
    handles, names = accuracy.get_legend_handles_labels()
    short = [shorten(name, SMALL_LETTERS, keep_end=True) for name in names]
    columns = max(1, min(3, SMALL_LETTERS // (max(map(len, short)) + GAP)))
    figure.legend(
        handles, short, loc="outside lower center", ncols=columns, frameon=False, fontsize="small"
    )
    return as_png(as_pixels(figure))


def _logarithmic(axes: "Axes") -> None:
    from matplotlib.ticker import FormatStrFormatter, NullFormatter

    axes.set_yscale("log", subs=(2, 5))
    # Matplotlib's own are formulas, which these figures do not have.
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(FormatStrFormatter("%g"))
    if len(axes.get_yticks(minor=True)) > 12:
        axes.yaxis.set_minor_formatter(NullFormatter())
