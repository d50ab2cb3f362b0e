"""Cutout and random erasing with the draws handed in."""

import itertools

import pytest
import torch

from src.augment.counter_rng import uniform
from src.augment.erase import ERASE_DRAWS, Boxes, channel_means, cutout, erase, erase_boxes, noise
from tests.augment.images import channels_last_images, is_channels_last


@pytest.mark.parametrize("size", [1, 4, 5])
def test_cutout_blackens_the_square_that_may_stick_out(size: int) -> None:
    centers = torch.tensor([[0, 0], [7, 8], [3, 4], [0, 8]])
    images = channels_last_images(4, 3, 8, 9)
    result = cutout(images, centers[:, 0], centers[:, 1], size)
    assert result.dtype == torch.uint8
    assert is_channels_last(result)
    for n, y, x in itertools.product(range(4), range(8), range(9)):
        rows = range(int(centers[n, 0]) - size // 2, int(centers[n, 0]) - size // 2 + size)
        columns = range(int(centers[n, 1]) - size // 2, int(centers[n, 1]) - size // 2 + size)
        hidden = y in rows and x in columns
        assert result[n, :, y, x].tolist() == ([0] * 3 if hidden else images[n, :, y, x].tolist())


def boxes(*corners: tuple[int, int, int, int]) -> Boxes:
    return Boxes(*torch.tensor(corners).unbind(1))


def test_erase_paints_a_value_or_an_image_inside_the_boxes() -> None:
    images = channels_last_images(3, 3, 6, 7)
    fill = 255 - images
    where = boxes((1, 3, 2, 7), (0, 0, 0, 0), (0, 6, 0, 7))
    for paint in (fill, 9, fill.new_full((3, 3, 1, 1), 9)):
        result = erase(images, where, paint)
        assert is_channels_last(result)
        expected = images.clone()
        paints = torch.as_tensor(paint, dtype=torch.uint8).expand_as(images)
        expected[0, :, 1:3, 2:7] = paints[0, :, 1:3, 2:7]
        expected[2] = paints[2]
        assert torch.equal(result, expected)


def draws_of(apply: float, y: float, x: float, *attempts: tuple[float, float]) -> torch.Tensor:
    """Lay out the draws of one image: attempts of an area and an aspect, the last one repeated."""
    ranges = (0.02, 0.4), (0.3, 1 / 0.3)
    pairs = [
        [(value - low) / (high - low) for value, (low, high) in zip(attempt, ranges, strict=True)]
        for attempt in (*attempts, *[attempts[-1]] * ((ERASE_DRAWS - 3) // 2 - len(attempts)))
    ]
    return torch.tensor([[apply, y, x, *itertools.chain(*pairs)]])


def test_erasing_takes_area_and_aspect_from_the_draws() -> None:
    # 0.26 of 16x16 is a square of 8.
    draws = draws_of(0.2, 0.0, 0.999, (0.26, 1))
    found = erase_boxes(draws, 16, 16, 0.5)
    assert [int(side) for side in found] == [0, 8, 8, 16]


def test_erasing_takes_the_first_attempt_that_fits() -> None:
    # 0.39 of 16x16 at aspect 3.3 is 18 rows high; the second attempt is the square of above.
    draws = draws_of(0.2, 0.5, 0.5, (0.39, 3.3), (0.26, 1), (0.06, 0.6))
    found = erase_boxes(draws, 16, 16, 0.5)
    assert [int(side) for side in found] == [4, 12, 4, 12]


def test_erasing_leaves_images_alone_that_no_attempt_fits_or_luck_spares() -> None:
    nowhere = erase_boxes(draws_of(0.2, 0.5, 0.5, (0.39, 3.3)), 16, 16, 0.5)
    spared = erase_boxes(draws_of(0.5, 0.5, 0.5, (0.26, 1)), 16, 16, 0.5)
    assert nowhere.area().tolist() == [0]
    assert spared.area().tolist() == [0]


def test_erased_rectangles_have_the_papers_ranges_and_lie_inside() -> None:
    draws = uniform(0, 0, torch.arange(20_000), ERASE_DRAWS, stream=5)
    found = erase_boxes(draws, 32, 32, 0.25)
    erased = found.area() > 0
    assert abs(erased.double().mean() - 0.25) < 0.015
    heights = (found.bottom - found.top)[erased]
    widths = (found.right - found.left)[erased]
    assert found.top.min() >= 0
    assert found.left.min() >= 0
    assert found.bottom.max() == 32
    assert found.right.max() == 32
    share = heights * widths / 1024
    assert 0.01 < share.min() < 0.03  # sides are rounded to whole pixels
    assert 0.38 < share.max() < 0.43
    assert ((heights + 0.5) / (widths - 0.5) > 0.3).all()
    assert ((heights - 0.5) / (widths + 0.5) < 1 / 0.3).all()


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 5, 5)])
def test_noise_is_even_and_a_function_of_the_sample(shape: tuple[int, int, int]) -> None:
    indices = torch.arange(3_000)
    drawn = noise(1, 2, indices, shape)
    assert drawn.dtype == torch.uint8
    assert drawn.shape == (3_000, *shape)
    assert is_channels_last(drawn)
    expected = drawn.numel() / 256
    chi_square = ((torch.bincount(drawn.flatten(), minlength=256) - expected) ** 2).sum() / expected
    assert 160 < chi_square < 375  # 255 degrees of freedom
    assert torch.equal(noise(1, 2, indices[70:75], shape), drawn[70:75])
    assert not torch.equal(noise(1, 3, indices, shape), drawn)
    assert not torch.equal(noise(2, 2, indices, shape), drawn)


def test_channel_means_are_rounded() -> None:
    images = channels_last_images(5, 3, 6, 7)
    expected = (images.double().mean((2, 3), keepdim=True) + 0.5).floor().to(torch.uint8)
    assert torch.equal(channel_means(images), expected)
