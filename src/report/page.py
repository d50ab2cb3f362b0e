"""HTML page of a report, in one file that needs no network."""

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from src.report.charts import SHOWN, colour, cost, curve_name, learning_curves
from src.report.comparison import Comparison
from src.report.parallel_coordinates import parallel_coordinates
from src.report.tables import leaderboard, runs_table, shared_table, summary, unfinished_table

if TYPE_CHECKING:
    from markupsafe import Markup
    from plotly.graph_objects import Figure


BUTTONS = ["select2d", "lasso2d", "autoScale2d"]
"""That Plotly offers and these charts have no use for."""

LONG = 24
"""Letters of a word from which on it may be broken."""

TEMPLATE = Path(__file__).with_name("page.html")


def page(report: Comparison) -> str:
    """The page: leaderboard, significance, other runs, curves, settings, cost; charts by Plotly."""
    import jinja2
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["breakable"] = _breakable
    charts = {
        "validation": learning_curves(report, curve_name(report.metric)),
        "training": learning_curves(report, "train/loss"),
        "parallel": parallel_coordinates(report),
        "cost": cost(report),
    }
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=report.title,
        summary=summary(report),
        metric=report.metric,
        curve=curve_name(report.metric),
        places=[str(place) for place in report.sweeps],
        written=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        leaderboard=leaderboard(report),
        colours=[colour(place) for place in range(len(report.groups))],
        lead=str(report.lead) if report.lead else None,
        notes=report.caveats,
        unfinished=unfinished_table(report) if report.unfinished else None,
        runs=runs_table(report),
        shared=shared_table(report),
        shown=SHOWN if len(report.groups) > SHOWN else None,
        charts={name: _element(figure, name) for name, figure in charts.items()},
        plotly=get_plotlyjs(),
    )


def _breakable(text: str) -> "Markup":
    """Let a line end inside of a long word, after a dot, a slash or an equals sign."""
    from markupsafe import Markup, escape

    def broken(word: str) -> str:
        safe = str(escape(word))
        return re.sub(r"([./=])(?=\w)", r"\1<wbr>", safe) if len(word) > LONG else safe

    return Markup(" ".join(map(broken, text.split(" "))))


def _element(figure: "Figure | None", name: str) -> str | None:
    from plotly.io import to_html

    if figure is None:
        return None
    config = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": BUTTONS}
    text: str = to_html(
        figure, config=config, include_plotlyjs=False, full_html=False, div_id=f"chart-{name}"
    )
    return text
