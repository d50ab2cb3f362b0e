"""The drawn figures: the same everywhere, balanced, and not for a linear classifier."""

import hashlib

import numpy as np
import pytest

from src.data.readers.base import ReadOptions
from src.data.readers.shapes import Shapes, draw_figure, draw_shapes
from src.data.registry import SHAPES_CLASSES

# Of the first 100 images of seed 0, and of the test images' first 100.
TRAIN_SHA256 = "a4ecc32ff0db4bb628f3d66c07beb0e5fc103a119edd9f2da54a1d8efa16d5cc"
TEST_SHA256 = "0a2e6af78bf2495fe5b96d6eb36578de710da9a1a90346f97386a63380ac9f6c"


def sha256(images: np.ndarray) -> str:
    return hashlib.sha256(images.tobytes()).hexdigest()


def mask(name: str, degrees: int = 0) -> np.ndarray:
    canvas = np.zeros((128, 128), np.uint8)
    draw_figure(canvas, name, (64, 64), 48, degrees)
    return canvas


def test_the_images_are_the_same_everywhere():
    data = Shapes(train_size=100, test_size=100).read(ReadOptions())
    assert sha256(data.train.images) == TRAIN_SHA256
    assert sha256(data.test.images) == TEST_SHA256


def test_an_image_depends_on_its_number_and_the_seed_only():
    many = draw_shapes(1100, seed=5)  # more than are drawn at a time
    assert np.array_equal(draw_shapes(40, seed=5).images, many.images[:40])
    assert np.array_equal(draw_shapes(10, seed=5, start=1050).images, many.images[1050:1060])
    assert not np.array_equal(draw_shapes(40, seed=6).images, many.images[:40])


def test_training_and_test_images_differ():
    data = Shapes(train_size=200, test_size=200).read(ReadOptions())
    both = {image.tobytes() for image in [*data.train.images, *data.test.images]}
    assert len(both) == 400


def test_ten_balanced_classes():
    data = Shapes(train_size=200, test_size=100).read(ReadOptions())
    assert data.classes == SHAPES_CLASSES
    assert len(set(SHAPES_CLASSES)) == 10
    assert np.bincount(data.train.labels).tolist() == [20] * 10
    assert np.bincount(data.test.labels).tolist() == [10] * 10
    assert data.train.images.shape == (200, 32, 32, 3)


@pytest.mark.parametrize("name", SHAPES_CLASSES)
def test_a_figure_stays_within_its_circle_and_fills_part_of_it(name: str):
    rows, columns = np.indices((128, 128)) - 64
    for degrees in (0, 17, 90, 211, 359):
        drawn = mask(name, degrees)
        assert set(np.unique(drawn)) == {0, 1}
        assert np.hypot(rows, columns)[drawn > 0].max() < 50
        assert 0.1 < drawn.sum() / (np.pi * 48**2) < 0.95


@pytest.mark.parametrize("name", sorted(set(SHAPES_CLASSES) - {"circle", "ring"}))
def test_figures_are_turned(name: str):
    upright, turned = mask(name), mask(name, 45)
    assert (upright != turned).mean() > 0.02
    # By a quarter turn the same figure, but for the rounding of its edge.
    assert (np.rot90(upright, -1) != mask(name, 90)).mean() < 0.03


def test_figures_are_told_apart_by_their_outline_at_any_angle():
    for one in SHAPES_CLASSES:
        for other in SHAPES_CLASSES[SHAPES_CLASSES.index(one) + 1 :]:
            reference = mask(one)
            closest = min((reference != mask(other, d)).sum() for d in range(0, 360, 15))
            assert closest > 0.1 * reference.sum(), (one, other)


def test_no_pixel_gives_the_class_away():
    # Ridge regression on raw pixels; chance is 0.1.
    data = Shapes(train_size=2000, test_size=500).read(ReadOptions())
    train, test = (s.images.reshape(len(s), -1) / 255.0 - 0.5 for s in (data.train, data.test))
    gram = train @ train.T + 100 * np.eye(len(train))  # the dual form: fewer images than pixels
    weights = train.T @ np.linalg.solve(gram, np.eye(10)[data.train.labels])
    assert ((test @ weights).argmax(1) == data.test.labels).mean() < 0.5
