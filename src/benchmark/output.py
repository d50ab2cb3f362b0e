"""Tables and picture of a benchmark."""

from pathlib import Path

from rich.table import Table

from src.benchmark.profile import Profile
from src.benchmark.samples import Samples
from src.console import plain_console
from src.plotting.figure import new_figure, write_figure

CONTENDERS = {
    "ours": "python -m src.train",
    "bare": "the same steps over one resident batch",
    "plain": "float32, PIL, a DataLoader, .item()",
}


def show_race(
    title: str, speeds: dict[str, Samples], alone: dict[str, tuple[float, float]]
) -> None:
    """Print a row a contender; medians, with the lowest and the highest round.

    ``alone`` may lack contenders whose start was not measured.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in ("images/s", "ours is ×", "first step", "memory"):
        table.add_column(name, justify="right")
    for name, samples in speeds.items():
        compared = name != "ours" and "ours" in speeds
        ratio = speeds["ours"].over(samples).text(2) if compared else ""
        start = [f"{alone[name][0]:.1f} s", f"{alone[name][1]:,.0f} MiB"] if name in alone else []
        table.add_row(name, samples.text(samples.digits), ratio, *start)
    console = plain_console()
    console.print(table)
    for name in speeds:
        console.print(f"{name}: {CONTENDERS[name]}")


def show_samples(title: str, measured: dict[str, Samples]) -> None:
    """Print a row a measurement."""
    table = Table(title=title, title_justify="left")
    table.add_column("what", overflow="fold")
    table.add_column("median (min–max)", justify="right")
    table.add_column("")
    for name, samples in measured.items():
        table.add_row(name, samples.text(samples.digits), samples.unit)
    plain_console().print(table)


def show_operations(title: str, profile: Profile) -> None:
    """Print where a step's time goes, beside what the hardware would need for it."""
    table = Table(title=title, title_justify="left")
    table.add_column("operation", overflow="fold")
    for name in ("ms", "share", "GFLOP", "MB", "limit, ms"):
        table.add_column(name, justify="right")
    for row in profile.rows:
        table.add_row(
            row.name,
            f"{row.milliseconds:.1f}",
            f"{row.milliseconds / profile.milliseconds:.1%}",
            f"{row.gigaflops:.1f}" if row.gigaflops else "",
            f"{row.megabytes:,.0f}" if row.megabytes else "",
            f"{profile.least_milliseconds(row):.1f}" if row.megabytes else "",
        )
    console = plain_console()
    console.print(table)
    console.print(
        f"a step took {profile.milliseconds:.1f} ms, and {profile.untouched_milliseconds:.1f} ms "
        "when its operations were not timed one by one; measured limits: "
        f"{profile.matrix_rate:,.0f} GFLOP/s in a matrix product, "
        f"{profile.bandwidth:.1f} GB/s in a copy",
        soft_wrap=True,
    )


def draw_race(path: Path, title: str, speeds: dict[str, Samples]) -> None:
    """Draw every round as a point and the medians as bars.

    Raises:
        OSError: the picture cannot be written.
    """
    figure = new_figure(8, 0.9 + 0.6 * len(speeds), layout="constrained")
    axes = figure.subplots()
    shades = {"ours": "tab:blue", "bare": "0.7", "plain": "0.85"}
    for place, (name, samples) in enumerate(speeds.items()):
        axes.barh(place, samples.median, height=0.6, color=shades[name])
        axes.plot(samples.values, [place] * len(samples.values), "o", color="black", markersize=3)
        axes.annotate(
            f"{samples.median:,.0f}", (0, place), (4, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(speeds)), list(speeds))
    axes.invert_yaxis()
    axes.set_xlabel("images a second (bars: medians, points: rounds)")
    axes.set_title(title, fontsize="medium", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    write_figure(path, figure)
