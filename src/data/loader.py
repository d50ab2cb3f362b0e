"""Batches in an order that is a function of (seed, epoch), so that any run can be continued."""

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from src.augment.counter_rng import permutation
from src.data.dataset import Batch, ImageDataset
from src.data.decode import disable_opencv_threads

ResumePosition = Callable[[], tuple[int, int]]
"""Says which epoch is being trained and how many of its batches are already done."""

MixPartners = Callable[[Tensor, int], Tensor]
"""``(indices, epoch) -> indices`` of the images to mix with, as many again."""


def from_start() -> tuple[int, int]:
    """The position of a loader that always begins at the beginning."""
    return 0, 0


def batch_sizes(
    images: int, batch_size: int, *, ranks: int = 1, accumulate: int = 1, drop_last: bool = False
) -> list[int]:
    """Images in each batch of an epoch, over all ranks.

    Full batches and the rest of the images in a last one, unless that would make a last step of
    less than half the images of the others, or leave a rank with a single image: such a step
    changes the weights as much as any other, and under batch norm undoes an epoch. The images are
    then spread evenly, and the sizes differ by one.

    Args:
        images: of an epoch.
        batch_size: the largest size.
        ranks: processes that share each batch.
        accumulate: batches an optimizer step; the last step of an epoch may have fewer.
        drop_last: leave out the images that do not fill a last batch, or a last step.
    """
    full, rest = divmod(images, batch_size)
    if drop_last:
        return [batch_size] * (full - full % accumulate if full > accumulate else full)
    step = batch_size * accumulate
    number = full + (rest > 0)
    alone = rest // ranks < 2 <= batch_size // ranks
    if images > step and 0 < 2 * (images % step) < step:
        number += -number % accumulate
    elif number == 1 or rest == 0 or (2 * rest >= batch_size and not alone):
        return [batch_size] * full + [rest] * (rest > 0)
    if batch_size >= 2 * ranks:
        number = min(number, images // (2 * ranks))
    size, larger = divmod(images, number)
    return [size + 1] * larger + [size] * (number - larger)


@dataclass(frozen=True)
class BatchOrder:
    """Which images are in which batch.

    Attributes:
        indices: int64 (N,), the images to go through; the order is made on their device.
        batch_size: images a step, over all ranks.
        seed: the order of an epoch is ``permutation(seed, epoch, N)``.
        shuffle: false goes through ``indices`` as they stand.
        drop_last: leave out a last batch that is not full, see :func:`batch_sizes`.
        rank: which of the ``ranks`` processes this is; each takes every ``ranks``-th image of
            a batch, so the images of a step do not depend on how many processes share it.
        ranks: number of processes.
        accumulate: batches an optimizer step.

    Raises:
        ValueError: a batch is too small for the ranks.
    """

    indices: Tensor
    batch_size: int
    seed: int = 0
    shuffle: bool = True
    drop_last: bool = False
    rank: int = 0
    ranks: int = 1
    accumulate: int = 1

    def __post_init__(self) -> None:
        """Check that there is an image for each rank."""
        if self.batch_size < self.ranks:
            raise ValueError(
                f"data.batch_size={self.batch_size}: fewer images than the {self.ranks} devices"
            )

    @cached_property
    def _bounds(self) -> list[int]:
        """Where each batch begins, and where the last one ends."""
        sizes = batch_sizes(
            len(self.indices),
            self.batch_size,
            ranks=self.ranks,
            accumulate=self.accumulate,
            drop_last=self.drop_last,
        )
        return list(itertools.accumulate(sizes, initial=0))

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._bounds) - 1

    def batches(self, epoch: int, first: int = 0) -> Iterator[Tensor]:
        """The indices of each batch of an epoch for this rank, from batch ``first`` on.

        All ranks have equally many batches, for they wait for each other in each. Where a last
        one has no image for this rank, it gets one of another's; see :meth:`share`.
        """
        order = self.indices
        if self.shuffle:
            order = order[permutation(self.seed, epoch, len(order), device=order.device)]
        for number in range(first, len(self)):
            batch = order[self._bounds[number] : self._bounds[number + 1]]
            yield batch[min(self.rank, len(batch) - 1) :: self.ranks]

    def batch_weight(self, number: int, end: int | None = None) -> tuple[float, int]:
        """What a batch of this rank counts, and the images of all: see :class:`Batch`.

        Args:
            number: of the batch in its epoch.
            end: how many batches of the epoch are trained; None: all.
        """
        bounds, first = self._bounds, number - number % self.accumulate
        last = min(first + self.accumulate, len(self) if end is None else end)
        images = bounds[number + 1] - bounds[number]
        own = len(range(self.rank, images, self.ranks))
        step = bounds[last] - bounds[first]
        return self.ranks * self.accumulate * own / step, images


class ResidentImages:
    """A data set whose images lie on the device as uint8, so that a batch is one gather."""

    def __init__(self, dataset: ImageDataset, device: torch.device):
        """Move ``dataset`` to ``device``: 1 byte a channel and pixel."""
        # Copied, for the mapped file is read-only and torch has no such tensors.
        self.images = torch.from_numpy(np.array(dataset.images)).to(device)
        self.labels = torch.from_numpy(dataset.labels).to(device)

    def fetch(self, indices: Tensor) -> Batch:
        """The images (N, C, H, W) in channels-last memory, labels and indices, on the device."""
        indices = indices.to(self.labels.device, non_blocking=True)
        images = self.images.index_select(0, indices).permute(0, 3, 1, 2)
        return Batch(images, self.labels[indices], indices)


class EpochLoader:
    """Iterates over the batches of one epoch, the one that ``position`` names.

    Works as a Lightning dataloader: it has a length, and asks for its position when the first
    batch is wanted, so that a run continued in the middle of an epoch gets just the rest of it.
    """

    def __init__(
        self,
        source: ImageDataset | ResidentImages,
        order: BatchOrder,
        *,
        position: ResumePosition = from_start,
        end: Callable[[], int] | None = None,
        partners: MixPartners | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
    ):
        """Batches of ``source`` in ``order``; each followed by its mixing partners, if any.

        ``end`` says how many batches of an epoch are trained, where that is not all of them.
        """
        self.source = source
        self.order = order
        self.position = position
        self.end = end
        self.partners = partners
        self._workers: DataLoader[Batch] | None = None
        if num_workers:
            self._workers = DataLoader(
                _ByList(source),
                sampler=_Indices(self),
                batch_size=None,
                num_workers=num_workers,
                pin_memory=pin_memory,
                worker_init_fn=start_worker,
                persistent_workers=True,
            )

    def __len__(self) -> int:
        """Batches in a whole epoch, also when part of it is already done."""
        return len(self.order)

    def __iter__(self) -> Iterator[Batch]:
        """The batches from the current position to the epoch's end."""
        number = self.position()[1]
        # Inside a generator: the workers start when the first batch is wanted, not before.
        fetched = map(self.source.fetch, self.indices()) if self._workers is None else self._workers
        for batch in fetched:
            weight, images = self.order.batch_weight(number, self.end and self.end())
            yield batch._replace(weight=weight, step_images=images)
            number += 1

    def indices(self) -> Iterator[Tensor]:
        """The indices of each batch, with the partners' behind them."""
        epoch, first = self.position()
        for batch in self.order.batches(epoch, first):
            if self.partners is None:
                yield batch
            else:
                yield torch.cat([batch, self.partners(batch, epoch)])

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the position is the trainer's. Its presence tells Lightning all is well."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to load."""


class _ByList(Dataset[Batch]):
    """A data set asked for a whole batch at a time."""

    def __init__(self, source: ImageDataset | ResidentImages):
        self.source = source

    def __getitem__(self, indices: Any) -> Batch:
        return self.source.fetch(indices)


class _Indices(Sampler[Tensor]):
    """The loader's batches of indices, anew each epoch."""

    def __init__(self, loader: EpochLoader):
        self.loader = loader

    def __iter__(self) -> Iterator[Tensor]:
        return self.loader.indices()

    def __len__(self) -> int:
        return len(self.loader)


def start_worker(worker: int) -> None:
    """Set up a loader process: one thread, and out of reach of signals to the trainer's group."""
    disable_opencv_threads()
    torch.set_num_threads(1)
    # Ctrl-C in a terminal and torchrun's SIGTERM reach a whole process group. It is the rank that
    # answers them, and until it has stopped it needs its batches. To ignore SIGTERM would not do:
    # at the interpreter's exit multiprocessing ends its children by it, and waits for them.
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
