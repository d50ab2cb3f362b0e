"""The order of batches is a function of (seed, epoch), shared evenly by ranks."""

import numpy as np
import pytest
import torch

from src.data.dataset import ImageDataset
from src.data.loader import BatchOrder, EpochLoader, ResidentImages, batch_sizes


def images(count: int) -> ImageDataset:
    """``count`` images of one color each, labeled with their own number modulo 5."""
    pixels = (
        np.zeros((count, 4, 4, 3), np.uint8) + np.arange(count, dtype=np.uint8)[:, None, None, None]
    )
    return ImageDataset(pixels, np.arange(count) % 5, tuple("abcde"))


def indices(order: BatchOrder, epoch: int, first: int = 0) -> list[list[int]]:
    return [batch.tolist() for batch in order.batches(epoch, first)]


def test_an_epoch_is_a_permutation_that_depends_on_seed_and_epoch() -> None:
    order = BatchOrder(torch.arange(100, 150), batch_size=16)
    epochs = [sum(indices(order, epoch), []) for epoch in range(3)]
    assert all(sorted(epoch) == list(range(100, 150)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert indices(order, 1) == indices(BatchOrder(torch.arange(100, 150), batch_size=16), 1)
    assert indices(order, 1) != indices(
        BatchOrder(torch.arange(100, 150), batch_size=16, seed=1), 1
    )


@pytest.mark.parametrize(
    ("images", "sizes"),
    [(48, [16, 16, 16]), (56, [16, 16, 16, 8]), (50, [13, 13, 12, 12]), (49, [13, 12, 12, 12])],
)
def test_a_short_last_batch_is_kept_and_a_very_short_one_spread(
    images: int, sizes: list[int]
) -> None:
    order = BatchOrder(torch.arange(images), 16)
    assert [len(batch) for batch in indices(order, 0)] == sizes
    assert len(order) == len(sizes)


def test_what_does_not_fill_a_batch_or_a_step_can_be_left_out() -> None:
    order = BatchOrder(torch.arange(90), 16, drop_last=True)
    assert [len(batch) for batch in indices(order, 0)] == [16] * 5
    assert len(BatchOrder(torch.arange(90), 16, drop_last=True, accumulate=2)) == 4


def test_an_epoch_continued_in_the_middle_gets_just_the_rest() -> None:
    order = BatchOrder(torch.arange(50), 16)
    assert indices(order, 3, first=2) == indices(order, 3)[2:]


@pytest.mark.parametrize("ranks", [2, 3, 5])
@pytest.mark.parametrize("shuffle", [True, False])
def test_ranks_share_each_batch_of_a_single_process(ranks: int, shuffle: bool) -> None:
    # The last batch has a single image.
    whole = list(BatchOrder(torch.arange(65), 16, shuffle=shuffle).batches(5))
    shared = [
        BatchOrder(torch.arange(65), 16, shuffle=shuffle, rank=r, ranks=ranks) for r in range(ranks)
    ]
    parts = [list(order.batches(5)) for order in shared]
    for number, batch in enumerate(whole):
        counted = [
            part[number].tolist() if order.batch_weight(number)[0] else []
            for order, part in zip(shared, parts, strict=True)
        ]
        assert sorted(sum(counted, [])) == sorted(batch.tolist())
        assert all(len(part[number]) for part in parts), "an image to compute with for every rank"
        shares = [order.batch_weight(number) for order in shared]
        assert sum(weight for weight, _ in shares) == pytest.approx(ranks)
        assert {images for _, images in shares} == {len(batch)}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("resident", [True, False])
def test_batches_are_the_same_with_workers_and_when_resident(workers: int, resident: bool) -> None:
    dataset = images(40)
    source = ResidentImages(dataset, torch.device("cpu")) if resident else dataset
    position = [0, 0]
    loader = EpochLoader(
        source,
        BatchOrder(torch.arange(40), 16, seed=7),
        position=lambda: (position[0], position[1]),
        num_workers=workers,
    )
    reference = BatchOrder(torch.arange(40), 16, seed=7)
    for epoch, first in ((0, 0), (1, 0), (2, 1)):
        position[:] = epoch, first
        batches = list(loader)
        assert [b.indices.tolist() for b in batches] == indices(reference, epoch, first)
        for batch in batches:
            assert batch.images.dtype == torch.uint8
            assert batch.images.shape[1:] == (3, 4, 4)
            assert batch.images.is_contiguous(memory_format=torch.channels_last)
            assert torch.equal(batch.images[:, 0, 0, 0].long(), batch.indices)
            assert torch.equal(batch.labels, batch.indices % 5)
    assert len(loader) == 3


def test_partners_follow_the_samples() -> None:
    loader = EpochLoader(
        images(40),
        BatchOrder(torch.arange(40), 16),
        partners=lambda chosen, epoch: (chosen + 1) % 40,
    )
    batch = next(iter(loader))
    assert len(batch.indices) == 32
    assert torch.equal(batch.indices[16:], (batch.indices[:16] + 1) % 40)


@pytest.mark.parametrize("accumulate", [1, 2, 3, 5])
@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [2, 3, 6, 10])
def test_no_step_has_fewer_than_half_of_its_share(
    batch_size: int, ranks: int, accumulate: int
) -> None:
    if batch_size < ranks:
        return
    for images in range(batch_size, 3 * batch_size * accumulate + 2):
        sizes = batch_sizes(images, batch_size, ranks=ranks, accumulate=accumulate)
        assert sum(sizes) == images
        assert max(sizes) <= max(batch_size, 4 * ranks), "no more memory"
        if batch_size >= 2 * ranks:
            assert min(sizes) >= 2 * ranks, "under batch norm one image alone is nothing"
        steps = [sum(sizes[i : i + accumulate]) for i in range(0, len(sizes), accumulate)]
        if batch_size >= 4 * ranks and len(steps) > 1:
            assert 2 * min(steps) >= max(steps) - accumulate, (images, sizes)


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("end", [None, 8])
def test_each_image_of_a_step_weighs_the_same(ranks: int, accumulate: int, end: int | None) -> None:
    orders = [
        BatchOrder(torch.arange(87), 8, rank=rank, ranks=ranks, accumulate=accumulate)
        for rank in range(ranks)
    ]
    sizes = [[len(batch) for batch in order.batches(0)] for order in orders]
    batches = range(end or len(orders[0]))
    for first in batches[::accumulate]:
        step = [(r, b) for r in range(ranks) for b in batches[first : first + accumulate]]
        images = sum(sizes[rank][batch] for rank, batch in step)
        for rank, batch in step:
            weight, _ = orders[rank].batch_weight(batch, end)
            # The gradient is divided by both.
            assert weight / (ranks * accumulate) == pytest.approx(sizes[rank][batch] / images)
