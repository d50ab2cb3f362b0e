"""Crop and flip with the draws handed in, and the sides that the flips draw."""

import itertools

import pytest
import torch

from src.augment.crop_flip import alternating_flip, crop, flip, random_flip
from tests.augment.images import channels_last_images, is_channels_last

SHAPES = [(3, 8, 8), (1, 6, 9), (4, 9, 5)]


def mirrored(position: int, size: int) -> int:
    """Find the pixel that reflection shows at a position outside 0..size-1."""
    if position < 0:
        return -position
    return position if position < size else 2 * (size - 1) - position


def test_crop_with_zeros_shows_the_shifted_image_on_black() -> None:
    padding = 2
    for channels, height, width in SHAPES:
        offsets = torch.tensor(list(itertools.product(range(5), repeat=2)))
        images = channels_last_images(len(offsets), channels, height, width)
        result = crop(images, offsets[:, 0], offsets[:, 1], padding)
        assert result.dtype == torch.uint8
        assert is_channels_last(result)
        for n, y, x in itertools.product(range(25), range(height), range(width)):
            source_y = y + int(offsets[n, 0]) - padding
            source_x = x + int(offsets[n, 1]) - padding
            inside = 0 <= source_y < height and 0 <= source_x < width
            expected = images[n, :, source_y, source_x].tolist() if inside else [0] * channels
            assert result[n, :, y, x].tolist() == expected


@pytest.mark.parametrize("padding", [1, 4])
def test_crop_with_reflection_shows_the_mirrored_edge(padding: int) -> None:
    for channels, height, width in SHAPES:
        offsets = torch.tensor([[0, 0], [2 * padding, 2 * padding], [1, 2 * padding - 1]])
        images = channels_last_images(3, channels, height, width)
        result = crop(images, offsets[:, 0], offsets[:, 1], padding, "reflect")
        assert is_channels_last(result)
        for n, y, x in itertools.product(range(3), range(height), range(width)):
            source_y = mirrored(y + int(offsets[n, 0]) - padding, height)
            source_x = mirrored(x + int(offsets[n, 1]) - padding, width)
            assert result[n, :, y, x].tolist() == images[n, :, source_y, source_x].tolist()


@pytest.mark.parametrize("mode", ["zeros", "reflect"])
def test_crop_at_the_padding_returns_the_image_and_leaves_its_input(mode: str) -> None:
    images = channels_last_images(5, 3, 8, 8)
    before = images.clone()
    offset = torch.full((5,), 4)
    assert torch.equal(crop(images, offset, offset, 4, mode), before)
    crop(images, offset * 0, offset, 4, mode)
    assert torch.equal(images, before)


def test_memory_order_does_not_change_the_pixels() -> None:
    images = channels_last_images(6, 3, 8, 7)
    y, x = torch.tensor([0, 1, 2, 3, 4, 2]), torch.tensor([4, 3, 2, 1, 0, 0])
    mask = torch.tensor([True, False, True, True, False, False])
    planes = images.contiguous()
    assert torch.equal(crop(planes, y, x, 2), crop(images, y, x, 2))
    assert torch.equal(flip(planes, mask), flip(images, mask))


def test_flip_mirrors_just_those_asked_for() -> None:
    for shape in SHAPES:
        images = channels_last_images(4, *shape)
        result = flip(images, torch.tensor([True, False, False, True]))
        assert is_channels_last(result)
        for x in range(shape[2]):
            assert torch.equal(result[0, :, :, x], images[0, :, :, shape[2] - 1 - x])
            assert torch.equal(result[3, :, :, x], images[3, :, :, shape[2] - 1 - x])
        assert torch.equal(result[1:3], images[1:3])


def test_random_flip_draws_anew_each_epoch() -> None:
    indices = torch.arange(10_000)
    first, second = random_flip(0, 0, indices), random_flip(0, 1, indices)
    for sides in (first, second, first ^ second):
        assert abs(sides.double().mean() - 0.5) < 0.02


def test_alternating_flip_changes_sides_with_each_epoch() -> None:
    indices = torch.arange(10_000)
    first = alternating_flip(0, 0, indices)
    assert abs(first.double().mean() - 0.5) < 0.02
    for epoch in range(1, 7):
        sides = alternating_flip(0, epoch, indices)
        assert torch.equal(sides, first if epoch % 2 == 0 else ~first)
        assert torch.equal(sides, alternating_flip(0, torch.tensor(epoch), indices))
    assert not torch.equal(first, alternating_flip(1, 0, indices))
