"""Figures and images in a grid: names and pixels as they are, no run that ends for a picture."""

import logging
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from src.plotting import (
    COLUMNS,
    SEAM,
    as_pixels,
    image_grid,
    new_figure,
    warn_if_fails,
    write_figure,
)
from src.text import shorten

ODD = ["$a_$", "$", "a_b^{", "\\frac", "東京", "a\x1bb", "b\udcff"]


@pytest.mark.parametrize("name", ODD)
def test_a_name_is_drawn_as_it_stands(name: str, tmp_path: Path) -> None:
    figure = new_figure(2, 2, layout="constrained")
    axes = figure.subplots()
    axes.set_xticks([0], [shorten(name, 9)])
    axes.set_title(shorten(name, 9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert as_pixels(figure).std() > 1
        write_figure(tmp_path / "x.png", figure)
        tile = np.zeros((1, 8, 8, 3), np.uint8)
        assert image_grid(tile, [shorten(name, 9)]).std() > 1
    assert cv2.imread(str(tmp_path / "x.png")).std() > 1


def test_an_old_picture_stays_when_a_new_one_cannot_be_drawn(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_text("old")
    figure = new_figure(1, 1)
    figure.canvas = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        write_figure(path, figure)
    assert [item.name for item in tmp_path.iterdir()] == ["x.png"]
    assert path.read_text() == "old"


def test_what_is_optional_is_a_warning_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), warn_if_fails("curves.png"):
        raise ValueError("two\nlines")
    assert caplog.messages == ["curves.png: no such picture (ValueError: two lines)"]


def test_ctrl_c_is_no_picture_that_fails() -> None:
    with pytest.raises(KeyboardInterrupt), warn_if_fails("curves.png"):
        raise KeyboardInterrupt


def test_tiles_stand_in_order_and_pixels_are_only_repeated() -> None:
    images = np.random.default_rng(0).integers(0, 256, (COLUMNS + 1, 32, 32, 3), dtype=np.uint8)
    picture = image_grid(images, ["x"] * len(images))
    large = images.repeat(3, axis=1).repeat(3, axis=2)
    for number, tile in enumerate(large[:COLUMNS]):
        left = SEAM + number * (96 + SEAM)
        assert (picture[SEAM : SEAM + 96, left : left + 96] == tile).all()
    below = picture[SEAM + 96 :, SEAM : SEAM + 96]
    rows = [row for row in range(len(below) - 95) if (below[row : row + 96] == large[-1]).all()]
    assert len(rows) == 1, "the ninth begins the second row"


def test_gray_images_are_gray() -> None:
    images = np.full((1, 100, 100, 1), 77, np.uint8)
    picture = image_grid(images, [""])
    assert picture.shape[2] == 3
    assert (picture[SEAM : SEAM + 100, SEAM : SEAM + 100] == 77).all()
