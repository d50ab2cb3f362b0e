"""Colours and layout that the charts of a page share."""

from typing import TYPE_CHECKING, Any

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
