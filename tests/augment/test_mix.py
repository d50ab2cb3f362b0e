"""Mixup, cutmix, their targets and the beta distribution, with the draws handed in."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from src.augment.mix import beta_quantile, cutmix, cutmix_boxes, mix_targets, mixup
from tests.augment.images import channels_last_images, is_channels_last

EVENLY = (torch.arange(1 << 20) + 0.5) / (1 << 20)


@pytest.mark.parametrize(
    ("alpha", "tolerance"),
    [(0.1, 1e-5), (0.2, 1e-5), (0.5, 1e-5), (1.0, 1e-5), (2.0, 1e-4), (8.0, 1e-2), (1e3, 5e-2)],
)
def test_beta_has_the_moments_of_the_distribution(alpha: float, tolerance: float) -> None:
    ratio = beta_quantile(EVENLY, alpha).double()
    variance = 1 / (4 * (2 * alpha + 1))
    fourth = 3 / (16 * (2 * alpha + 1) * (2 * alpha + 3))
    assert abs(ratio.mean() - 0.5) < 1e-6
    assert abs(ratio.var() - variance) < tolerance * variance
    assert abs(((ratio - 0.5) ** 4).mean() - fourth) < tolerance * fourth
    assert ratio.min() >= 0
    assert ratio.max() <= 1


@pytest.mark.parametrize(
    ("alpha", "cdf"),
    [
        (0.5, lambda x: 2 / torch.pi * x.sqrt().asin()),
        (2.0, lambda x: 3 * x**2 - 2 * x**3),
        (3.0, lambda x: 10 * x**3 - 15 * x**4 + 6 * x**5),
    ],
)
def test_beta_inverts_the_closed_forms(alpha: float, cdf: Callable[[Tensor], Tensor]) -> None:
    assert (cdf(beta_quantile(EVENLY, alpha).double()) - EVENLY).abs().max() < 1e-4
    middle = EVENLY[1000:-1000]
    assert (cdf(beta_quantile(middle, alpha).double()) - middle).abs().max() < 2e-5


def test_beta_rises_without_overflow() -> None:
    for alpha in (0.01, 0.2, 1.0, 5.0, 1e6):
        ratio = beta_quantile(torch.tensor([0.0, 0.1, 0.4, 0.5, 0.6, 0.9, 1 - 2**-24]), alpha)
        assert ratio.isfinite().all()
        assert (ratio.diff() >= 0).all()
        assert abs(ratio[3] - 0.5) < 1e-6


def test_mixup_blends_every_pixel() -> None:
    images, partners = channels_last_images(8, 3, 5, 6).split(4)
    ratio = torch.tensor([1.0, 0.0, 0.25, 0.7])
    result = mixup(images, partners, ratio)
    assert result.dtype == torch.float32
    assert is_channels_last(result)
    assert torch.equal(result[0], images[0].float())
    assert torch.equal(result[1], partners[1].float())
    for n, c, y, x in itertools.product(range(4), range(3), range(5), range(6)):
        own, other, share = int(images[n, c, y, x]), int(partners[n, c, y, x]), float(ratio[n])
        assert abs(float(result[n, c, y, x]) - (own * share + other * (1 - share))) < 1e-4


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_cutmix_pastes_the_box_and_counts_what_is_left(kind: torch.dtype) -> None:
    images, partners = channels_last_images(10, 3, 8, 6).split(5)
    ratio = torch.tensor([1.0, 0.0, 0.75, 0.75, 0.36])
    center_y, center_x = torch.tensor([3, 4, 4, 0, 7]), torch.tensor([2, 3, 3, 0, 0])
    boxes = cutmix_boxes(ratio, center_y, center_x, 8, 6)
    # Sides are sqrt(1 - ratio) of 8 and 6, rounded down, around the center, cut off at the border.
    corners = [(3, 3, 2, 2), (0, 8, 0, 6), (2, 6, 2, 5), (0, 2, 0, 2), (4, 8, 0, 2)]
    assert torch.stack(boxes, 1).tolist() == [list(corner) for corner in corners]
    result, left = cutmix(images.to(kind), partners, boxes)
    assert result.dtype == kind
    assert is_channels_last(result)
    assert torch.allclose(left, torch.tensor([1.0, 0.0, 1 - 12 / 48, 1 - 4 / 48, 1 - 8 / 48]))
    for n, y, x in itertools.product(range(5), range(8), range(6)):
        top, bottom, leftmost, right = corners[n]
        pasted = top <= y < bottom and leftmost <= x < right
        source = partners if pasted else images
        assert result[n, :, y, x].tolist() == source[n, :, y, x].tolist()


def test_targets_share_a_probability_of_one() -> None:
    labels, partners = torch.tensor([0, 2, 1, 3]), torch.tensor([1, 2, 3, 0])
    ratio = torch.tensor([0.25, 0.3, 1.0, 0.0])
    expected = torch.tensor([[0.25, 0.75, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]])
    targets = mix_targets(labels, partners, ratio, 4)
    assert targets.dtype == torch.float32
    assert torch.allclose(targets, expected, atol=1e-7)
