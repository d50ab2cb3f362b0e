"""``Augment``: what it depends on, what it combines, what it refuses."""

import pytest
import torch
from torch import Tensor

from src.augment.counter_rng import Stream, integers
from src.augment.crop_flip import alternating_flip, crop, flip, random_flip
from src.augment.erase import cutout
from src.augment.pipeline import Augment
from tests.augment.images import channels_last_images, is_channels_last

SET_SIZE = 60
CLASSES = 10
EVERYTHING = {
    "none": {},
    "standard": {"crop_padding": 4, "flip": "random"},
    "fast": {"crop_padding": 2, "crop_mode": "reflect", "flip": "alternating"},
    "cutout": {"crop_padding": 4, "flip": "random", "cutout": 5},
    "zeros": {"erase_probability": 0.5, "erase_fill": "zero"},
    "means": {"erase_probability": 0.5, "erase_fill": "mean"},
    "noise": {"erase_probability": 0.5, "erase_fill": "noise"},
    "mixup": {"flip": "random", "mixup": 0.2},
    "cutmix": {"flip": "random", "cutmix": 1.0},
    "strong": {
        "crop_padding": 4,
        "flip": "random",
        "cutout": 4,
        "erase_probability": 0.25,
        "mixup": 0.2,
        "cutmix": 1.0,
        "mix_probability": 0.8,
    },
}
every_option = pytest.mark.parametrize("options", EVERYTHING.values(), ids=EVERYTHING)


def labels_of(indices: Tensor) -> Tensor:
    return indices % CLASSES


def run(
    augment: Augment, images: Tensor, indices: Tensor, epoch: int | Tensor = 3
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Fetch the samples, and the partners where needed, from a whole set and augment them."""
    if augment.mixes:
        indices = torch.cat((indices, augment.partners(indices, epoch, len(images))))
    return augment(images[indices], labels_of(indices), indices, epoch, CLASSES)


@pytest.fixture(params=[(3, 12, 12), (1, 10, 13)], ids=["color", "gray"])
def images(request: pytest.FixtureRequest) -> Tensor:
    return channels_last_images(SET_SIZE, *request.param)


@every_option
def test_a_sample_gets_the_same_whatever_batch_it_is_in(options: dict, images: Tensor) -> None:
    augment = Augment(seed=0, **options)
    indices = torch.arange(SET_SIZE)
    whole = run(augment, images, indices)
    order = torch.randperm(SET_SIZE, generator=torch.Generator().manual_seed(1))
    for part in (order[:7], order[7:], torch.arange(30), torch.arange(30, 60), order[:1]):
        for of_part, of_whole in zip(run(augment, images, part), whole, strict=True):
            if of_whole is None:
                assert of_part is None
            else:
                assert torch.equal(of_part, of_whole[part])


@every_option
def test_seed_and_epoch_decide(options: dict, images: Tensor) -> None:
    indices = torch.arange(SET_SIZE)
    first = run(Augment(seed=0, **options), images, indices, 3)[0]
    assert torch.equal(run(Augment(seed=0, **options), images, indices, 3)[0], first)
    assert torch.equal(run(Augment(seed=0, **options), images, indices, torch.tensor(3))[0], first)
    for seed, epoch in ((1, 3), (0, 4), (2**32 - 1, 3)):
        other = run(Augment(seed=seed, **options), images, indices, epoch)[0]
        assert torch.equal(other, first) == (not options)


@every_option
def test_shapes_types_and_memory(options: dict, images: Tensor) -> None:
    augment = Augment(seed=0, **options)
    before = images.clone()
    result, labels, targets = run(augment, images, torch.arange(20))
    assert result.shape == (20, *images.shape[1:])
    assert result.dtype == (torch.float32 if "mixup" in options else torch.uint8)
    assert result.min() >= 0
    assert result.max() <= 255
    assert is_channels_last(result)
    assert labels.tolist() == [index % CLASSES for index in range(20)]
    assert torch.equal(images, before)
    assert augment.identity == (not options)
    if augment.mixes:
        assert targets is not None
        assert targets.shape == (20, CLASSES)
        assert torch.allclose(targets.sum(1), torch.ones(20), atol=1e-6)
        assert (targets.gather(1, labels[:, None]) > 0.5).any()
    else:
        assert targets is None


@every_option
def test_nothing_waits_for_the_device(options: dict) -> None:
    """Tensors without content raise where a program would have to read them."""
    augment = Augment(seed=0, **options)
    indices = torch.arange(8, device="meta")
    images = channels_last_images(8, 3, 12, 12).to("meta")
    epoch = torch.tensor(2, device="meta")
    if augment.mixes:
        assert augment.partners(indices, epoch, 8).shape == (8,)
        indices, images = torch.cat((indices, indices)), torch.cat((images, images))
    assert augment(images, indices, indices, epoch, CLASSES)[0].shape == (8, 3, 12, 12)


@pytest.mark.parametrize("epoch", [0, 1])
def test_crop_then_flip_then_cutout_by_the_documented_draws(epoch: int, images: Tensor) -> None:
    indices = torch.arange(10, 40)
    height, width = images.shape[2:]
    for name, sides in (("random", random_flip), ("alternating", alternating_flip)):
        y, x = integers(5, epoch, indices, (9, 9), stream=Stream.CROP)
        expected = flip(crop(images[indices], y, x, 4), sides(5, epoch, indices))
        y, x = integers(5, epoch, indices, (height, width), stream=Stream.CUTOUT)
        expected = cutout(expected, y, x, 3)
        augment = Augment(seed=5, crop_padding=4, flip=name, cutout=3)
        assert torch.equal(run(augment, images, indices, epoch)[0], expected)


def test_switching_an_operation_on_leaves_the_draws_of_the_others(images: Tensor) -> None:
    indices = torch.arange(SET_SIZE)
    alone = run(Augment(seed=0, crop_padding=4), images, indices)[0]
    more = run(Augment(seed=0, crop_padding=4, cutout=2), images, indices)[0]
    assert ((alone == more) | (more == 0)).all()


def test_erased_pixels_have_the_fill() -> None:
    images = channels_last_images(SET_SIZE, 3, 12, 12)
    images[:, :, 0] = 7
    indices = torch.arange(SET_SIZE)
    erased = {
        fill: run(Augment(seed=0, erase_probability=1.0, erase_fill=fill), images, indices)[0]
        for fill in ("zero", "mean", "noise")
    }
    changed = (erased["zero"] != images).any(1, keepdim=True)
    assert 0.05 < changed.double().mean() < 0.35
    assert not erased["zero"][changed.expand_as(images)].any()
    means = (images.double().mean((2, 3), keepdim=True) + 0.5).floor().to(torch.uint8)
    inside = (erased["zero"] == 0).all(1, keepdim=True)
    assert torch.equal(erased["mean"], torch.where(inside, means, images))
    assert torch.equal(erased["noise"].masked_fill(inside, 0), erased["zero"])
    assert erased["noise"][inside.expand_as(images)].unique().numel() == 256
