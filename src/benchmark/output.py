"""Tables and picture of a benchmark."""

from pathlib import Path

from rich.table import Table

from src.benchmark.profile import StepProfile
from src.benchmark.race import Contender
from src.benchmark.samples import Samples
from src.console import plain_console
from src.plotting.figure import new_figure, write_figure

DESCRIPTIONS = {
    "ours": "python -m src.train",
    "bare": "the same steps over one resident batch",
    "plain": "float32, PIL, a DataLoader, .item()",
}


def show_race(title: str, contenders: dict[str, Contender]) -> None:
    """Print a row a contender; medians, with the lowest and the highest round."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in ("images/s", "ours is ×", "first step", "memory"):
        table.add_column(name, justify="right")
    for name, contender in contenders.items():
        ratio = contenders["ours"].speeds.over(contender.speeds).text(2) if name != "ours" else ""
        first, memory = contender.seconds_to_first_step, contender.peak_memory / 2**20
        speed = contender.speeds.text(contender.speeds.digits)
        table.add_row(name, speed, ratio, f"{first:.1f} s", f"{memory:,.0f} MiB")
    console = plain_console()
    console.print(table)
    for name in contenders:
        console.print(f"{name}: {DESCRIPTIONS[name]}")


def show_samples(title: str, measured: dict[str, Samples]) -> None:
    """Print a row a measurement."""
    table = Table(title=title, title_justify="left")
    table.add_column("what", overflow="fold")
    table.add_column("median (min–max)", justify="right")
    table.add_column("")
    for name, samples in measured.items():
        table.add_row(name, samples.text(samples.digits), samples.unit)
    plain_console().print(table)


def show_operations(title: str, profile: StepProfile) -> None:
    """Print where a step's time goes, beside what the hardware would need for it."""
    table = Table(title=title, title_justify="left")
    table.add_column("operation", overflow="fold")
    for name in ("ms", "share", "GFLOP", "MB", "limit, ms"):
        table.add_column(name, justify="right")
    for row in profile.rows.itertuples():
        table.add_row(
            row.name,
            f"{row.milliseconds:.1f}",
            f"{row.milliseconds / profile.milliseconds:.1%}",
            f"{row.gigaflops:.1f}" if row.gigaflops else "",
            f"{row.megabytes:,.0f}" if row.megabytes else "",
            f"{row.least_milliseconds:.1f}" if row.megabytes else "",
        )
    console = plain_console()
    console.print(table)
    console.print(
        f"a step took {profile.milliseconds:.1f} ms, and {profile.untouched_milliseconds:.1f} ms "
        "when it was not profiled; measured limits: "
        f"{profile.matrix_rate:,.0f} GFLOP/s in a matrix product, "
        f"{profile.bandwidth:.1f} GB/s in a copy",
        soft_wrap=True,
    )


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
