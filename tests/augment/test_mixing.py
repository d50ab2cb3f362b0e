"""Who ``Augment`` mixes with whom, how much and how often."""

import pytest
import torch
from torch import Tensor

from src.augment.counter_rng import Stream, uniform
from src.augment.mix import beta_quantile
from src.augment.pipeline import Augment


def test_partners_come_evenly_from_the_whole_set() -> None:
    augment = Augment(seed=0, mixup=0.2)
    indices = torch.arange(30_000)
    drawn = augment.partners(indices, 2, 30)
    assert drawn.dtype == torch.int64
    counts = torch.bincount(drawn, minlength=30)
    assert ((counts - 1_000.0) ** 2 / 1_000).sum() < 80  # 29 degrees of freedom
    assert torch.equal(augment.partners(indices[40:50], 2, 30), drawn[40:50])
    assert not torch.equal(augment.partners(indices, 3, 30), drawn)


def mixing_ratios(epoch: int = 0, **options: float) -> tuple[Tensor, Tensor]:
    """Mix white samples of class 0 with black partners of class 1: mean brightness, target 0."""
    samples = 4_000
    images = torch.full((2 * samples, 1, 8, 8), 255, dtype=torch.uint8)
    images[samples:] = 0
    labels = torch.arange(2).repeat_interleave(samples)
    indices = torch.arange(2 * samples)
    mixed, own, targets = Augment(seed=0, **options)(images, labels, indices, epoch, 2)
    assert not own.any()
    assert targets is not None
    return mixed.float() / 255, targets[:, 0]


@pytest.mark.parametrize("options", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 1, "cutmix": 0.5}])
def test_targets_are_the_share_of_the_pixels(options: dict) -> None:
    images, target = mixing_ratios(**options)
    assert torch.allclose(images.mean((1, 2, 3)), target, atol=1e-5)


def test_mixup_and_cutmix_are_each_given_to_half_of_the_samples() -> None:
    images, target = mixing_ratios(mixup=1.0, cutmix=1.0)
    flat = images.flatten(1)
    blended = (flat == flat[:, :1]).all(1) & (target > 0) & (target < 1)
    assert abs(blended.double().mean() - 0.5) < 0.04
    pasted = ((flat == 0) | (flat == 1)).all(1)
    assert abs(pasted.double().mean() - 0.5) < 0.04


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mix_probability_spares_samples(name: str) -> None:
    """At alpha = 1000 nearly every mixed sample is mixed by half."""
    for probability in (0.3, 1.0):
        images, target = mixing_ratios(**{name: 1000.0}, mix_probability=probability)
        spared = target == 1
        assert abs(spared.double().mean() - (1 - probability)) < 0.03
        assert (images[spared] == 1).all()


def test_mixup_ratios_are_beta_numbers_of_the_samples_own() -> None:
    _, target = mixing_ratios(epoch=2, mixup=0.2)
    drawn = uniform(0, 2, torch.arange(4_000), 3, stream=Stream.MIX)[:, 2]
    assert torch.equal(target, beta_quantile(drawn, 0.2))
    expected = beta_quantile((torch.arange(4_000) + 0.5) / 4_000, 0.2)
    assert (target.sort().values - expected).abs().mean() < 0.02


def test_mixing_with_probability_zero_needs_no_partners() -> None:
    augment = Augment(seed=0, mixup=0.2, mix_probability=0.0)
    assert not augment.mixes
    assert augment.identity
