"""TensorBoard's web application on a finished sweep, in a browser."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard import program

from tests.fixtures.cli import TINY, Cli

WAIT = 60_000  # milliseconds until a page must show what is looked for
SWEEP = ["-m", "model=resnet20", "model.shortcut=A,none", "data.batch_size=64", *TINY]


@pytest.fixture
def dashboard(browser: Any, cli: Cli, cifar: str, tmp_path: Path) -> Iterator[Any]:
    """A page, and TensorBoard on the sweep of two runs that it can be sent to."""
    done = cli(*SWEEP, cifar)
    assert done.code == 0, done.err
    board = program.TensorBoard()
    board.configure(argv=["", "--logdir", str(tmp_path / "outputs"), "--port", "0"])
    page = browser.new_page(viewport={"width": 1300, "height": 900}, base_url=board.launch())
    page.set_default_timeout(WAIT)
    errors: list[Any] = []
    page.on("pageerror", lambda error: errors.append(error))  # its bound method will not do
    yield page
    assert not errors
    page.close()


def test_every_tab_shows_both_runs(dashboard: Any) -> None:
    def tab(name: str) -> None:
        dashboard.goto(f"/#{name}")
        dashboard.reload()

    tab("scalars")
    for heading in ("train", "val", "test", "lr", "images_per_second", "gradient_norm"):
        dashboard.get_by_text(heading, exact=True).first.wait_for()
    dashboard.get_by_text("tag: gradient_norm/1_stem").wait_for()

    tab("custom_scalars")
    for chart in ("loss", "accuracy", "learning rate", "images per second"):
        dashboard.get_by_text(chart, exact=True).first.wait_for()
    dashboard.get_by_text("gradient norm by depth").first.wait_for()
    # Both runs, training and validation, in one chart.
    dashboard.get_by_text("Matches (4)").first.wait_for()

    tab("images")
    for tag in ("first_batch", "test/confusion", "test/worst_mistakes"):
        dashboard.get_by_text(tag, exact=True).first.wait_for()
    pictures = dashboard.locator("img:visible")
    pictures.nth(5).wait_for()
    sizes = pictures.evaluate_all(
        "all => Promise.all(all.map(one => one.decode().then(() => one.naturalWidth)))"
    )
    assert len(sizes) == 6
    assert min(sizes) > 300

    tab("text")
    dashboard.get_by_text(re.compile("shortcut: none")).first.wait_for()

    tab("hparams")
    header = dashboard.get_by_text("model.shortcut", exact=True)
    header.first.wait_for()
    for value in ("A", "none"):
        dashboard.get_by_text(value, exact=True).first.wait_for()
    dashboard.get_by_text("test/acc", exact=True).first.wait_for()
    assert not dashboard.get_by_text("-1.0000").count()
