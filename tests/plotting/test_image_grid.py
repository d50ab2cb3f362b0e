"""Images in a grid: every pixel as it was, in order."""

import numpy as np

from src.plotting.image_grid import COLUMNS, SEAM, image_grid


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


def test_grey_images_are_grey() -> None:
    images = np.full((1, 100, 100, 1), 77, np.uint8)
    picture = image_grid(images, [""])
    assert picture.shape[2] == 3
    assert (picture[SEAM : SEAM + 100, SEAM : SEAM + 100] == 77).all()
