"""Tables and picture of a benchmark."""

from pathlib import Path

from rich.table import Table

from src.benchmark.profile import StepProfile
from src.benchmark.race import Contender, Samples
from src.console import plain_console
from src.plotting import new_figure, write_figure

DESCRIPTIONS = {
    "ours": "python -m src.train",
    "bare": "the same steps over one resident batch",
    "plain": "float32, PIL, a DataLoader, .item()",
}


def show_race(title: str, contenders: dict[str, Contender]) -> None:
    """Print a row a contender; medians, with the lowest and the highest round."""
    rows = []
    for name, contender in contenders.items():
        ratio = contenders["ours"].speeds.over(contender.speeds).text(2) if name != "ours" else ""
        first, memory = contender.seconds_to_first_step, contender.peak_memory / 2**20
        rows.append([name, contender.speeds.text(), ratio, f"{first:.1f} s", f"{memory:,.0f} MiB"])
    _print_table(title, ["", "images/s", "ours is ×", "first step", "memory"], rows)
    for name in contenders:
        plain_console().print(f"{name}: {DESCRIPTIONS[name]}")


def show_samples(title: str, measured: dict[str, Samples]) -> None:
    """Print a row a measurement."""
    rows = [[name, samples.text(), samples.unit] for name, samples in measured.items()]
    _print_table(title, ["what", "median (min–max)", "unit"], rows)


def show_operations(title: str, profile: StepProfile) -> None:
    """Print where a step's time goes, beside what the hardware would need for it."""
    rows = [
        [
            row.name,
            f"{row.milliseconds:.1f}",
            f"{row.milliseconds / profile.milliseconds:.1%}",
            f"{row.gigaflops:.1f}" if row.gigaflops else "",
            f"{row.megabytes:,.0f}" if row.megabytes else "",
            f"{row.least_milliseconds:.1f}" if row.megabytes else "",
        ]
        for row in profile.rows.itertuples()
    ]
    _print_table(title, ["operation", "ms", "share", "GFLOP", "MB", "limit, ms"], rows)
    plain_console().print(
        f"a step took {profile.milliseconds:.1f} ms, and {profile.untouched_milliseconds:.1f} ms "
        "when it was not profiled; measured limits: "
        f"{profile.matrix_rate:,.0f} GFLOP/s in a matrix product, "
        f"{profile.bandwidth:.1f} GB/s in a copy",
        soft_wrap=True,
    )


def _print_table(title: str, headers: list[str], rows: list[list[str]]) -> None:
    """Print words in the first column and figures in the others."""
    table = Table(title=title, title_justify="left")
    table.add_column(headers[0], overflow="fold")
    for name in headers[1:]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    plain_console().print(table)


def draw_race(path: Path, title: str, contenders: dict[str, Contender]) -> None:
    """Draw every round as a point and the medians as bars."""
    figure = new_figure(8, 0.9 + 0.6 * len(contenders), layout="constrained")
    axes = figure.subplots()
    shades = {"ours": "tab:blue", "bare": "0.7", "plain": "0.85"}
    for place, (name, contender) in enumerate(contenders.items()):
        samples = contender.speeds
        axes.barh(place, samples.median, height=0.6, color=shades[name])
        axes.plot(samples.values, [place] * len(samples.values), "o", color="black", markersize=3)
        axes.annotate(
            f"{samples.median:,.0f}", (0, place), (4, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(contenders)), list(contenders))
    axes.invert_yaxis()
    axes.set_xlabel("images a second (bars: medians, points: rounds)")
    axes.set_title(title, fontsize="medium", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    write_figure(path, figure)
