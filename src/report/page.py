"""HTML page of a report, in one file that needs no network."""

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from src.report.charts import (
    SHOWN,
    colour,
    cost,
    curve_name,
    learning_curves,
    parallel_coordinates,
)
from src.report.comparison import Comparison
from src.report.tables import leaderboard, runs_table, shared_table, summary, unfinished_table

if TYPE_CHECKING:
    from markupsafe import Markup


PLOTLY = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}

LONG = 24
"""Letters of a word from which on it may be broken."""

TEMPLATE = Path(__file__).with_name("page.html")


def page(report: Comparison) -> str:
    """The page: leaderboard, significance, other runs, curves, settings, cost; charts by Plotly."""
    import jinja2
    from plotly.io import to_html
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
    options = {"config": PLOTLY, "include_plotlyjs": False, "full_html": False}
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        report=report,
        summary=summary(report),
        curve=curve_name(report.metric),
        written=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        leaderboard=leaderboard(report),
        colours=[colour(place) for place in range(len(report.groups))],
        unfinished=unfinished_table(report),
        runs=runs_table(report),
        shared=shared_table(report),
        shown=SHOWN,
        charts={
            name: chart and to_html(chart, div_id=f"chart-{name}", **options)
            for name, chart in charts.items()
        },
        plotly=get_plotlyjs(),
    )


def _breakable(text: str) -> "Markup":
    """Let a line end inside of a long word, after a dot, a slash or an equals sign."""
    from markupsafe import Markup, escape

    def broken(word: str) -> str:
        safe = str(escape(word))
        return re.sub(r"([./=])(?=\w)", r"\1<wbr>", safe) if len(word) > LONG else safe

    return Markup(" ".join(map(broken, text.split(" "))))
