"""HTML page of a report, in one file that needs no network."""

from datetime import datetime

from src.report import charts, tables
from src.report.comparison import Comparison
from src.report.formatting import curve_name, render

PLOTLY = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}


def page(report: Comparison) -> str:
    """The page: leaderboard, significance, other runs, curves, settings, cost; charts by Plotly."""
    from plotly.io import to_html
    from plotly.offline import get_plotlyjs

    curve = curve_name(report.metric)
    figures = {
        "validation": charts.learning_curves(report, curve),
        "training": charts.learning_curves(report, "train/loss"),
        "parallel": charts.parallel_coordinates(report),
        "cost": charts.cost(report),
    }
    options = {"config": PLOTLY, "include_plotlyjs": False, "full_html": False}
    return render(
        "page.html",
        report=report,
        tables=tables,
        curve=curve,
        color=charts.group_color,
        shown=charts.SHOWN,
        charts={
            name: figure and to_html(figure, div_id=f"chart-{name}", **options)
            for name, figure in figures.items()
        },
        plotly=get_plotlyjs(),
        written=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
    )
