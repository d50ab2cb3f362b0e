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
from torch.utils.data import DataLoader, Dataset

from src.augment.counter_rng import permutation
from src.data.dataset import Batch, ImageDataset
from src.data.decode import disable_opencv_threads


def batch_sizes(
    images: int, batch_size: int, ranks: int = 1, accumulate: int = 1, drop_last: bool = False
) -> list[int]:
    """Images in each batch of an epoch, over all ranks.

    Full batches and the rest of the images in a last one, unless that would make a last step of
    less than half the images of the others, or leave a rank with a single image: such a step
    changes the weights as much as any other, and under batch norm undoes an epoch. The images are
    then spread evenly, and the sizes differ by one.

    Args:
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
    """Which images are in which batch; see ``batch_sizes``.

    Each rank takes every ``ranks``-th image of a batch, so that the images of a step do not depend
    on how many processes share it.
    """

    indices: Tensor  # int64 (N,), the images to go through; the order is made on their device
    batch_size: int
    seed: int = 0  # the order of an epoch is `permutation(seed, epoch, N)`
    shuffle: bool = True
    drop_last: bool = False
    rank: int = 0
    ranks: int = 1
    accumulate: int = 1

    @cached_property
    def _bounds(self) -> list[int]:
        """Start of each batch, and the end of the last one."""
        sizes = batch_sizes(
            len(self.indices), self.batch_size, self.ranks, self.accumulate, self.drop_last
        )
        return list(itertools.accumulate(sizes, initial=0))

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def batches(self, epoch: int, first: int = 0) -> Iterator[Tensor]:
        """The indices of each batch of an epoch for this rank, from batch ``first`` on.

        A rank without an image in the last batch gets another's as padding, see ``batch_weight``.
        """
        order = self.indices
        if self.shuffle:
            order = order[permutation(self.seed, epoch, len(order), device=order.device)]
        for number in range(first, len(self)):
            batch = order[self._bounds[number] : self._bounds[number + 1]]
            yield batch[min(self.rank, len(batch) - 1) :: self.ranks]

    def batch_weight(self, number: int, end: int | None = None) -> tuple[float, int]:
        """``Batch.weight`` and ``Batch.step_images`` of batch ``number`` of ``end`` in an epoch."""
        bounds, first = self._bounds, number - number % self.accumulate
        last = min(first + self.accumulate, len(self) if end is None else end)
        images = bounds[number + 1] - bounds[number]
        own = len(range(self.rank, images, self.ranks))
        step = bounds[last] - bounds[first]
        return self.ranks * self.accumulate * own / step, images


class ResidentImages:
    """A data set whose images stay on the device as uint8, so that a batch is one gather."""

    def __init__(self, dataset: ImageDataset, device: torch.device):
        # Copied: torch has no read-only tensors for a mapped file.
        self.images = torch.from_numpy(np.array(dataset.images)).to(device)
        self.labels = torch.from_numpy(dataset.labels).to(device)

    def fetch(self, indices: Tensor) -> Batch:
        """As ``ImageDataset.fetch``, on the device."""
        indices = indices.to(self.labels.device, non_blocking=True)
        images = self.images.index_select(0, indices).permute(0, 3, 1, 2)
        return Batch(images, self.labels[indices], indices)


@dataclass(eq=False)
class EpochLoader:
    """Lightning dataloader over the batches of one epoch, from a position on.

    Attributes:
        position: returns the epoch that is being trained and how many of its batches are done;
            called when the first batch is wanted, so that a resumed epoch gets just its rest.
        end: returns how many batches of an epoch are trained; None: all.
        partners: from indices and epoch to the indices of as many images to mix with, which are
            fetched behind the others in the same batch.
        num_workers: processes that fetch batches; 0: this one.
    """

    source: ImageDataset | ResidentImages
    order: BatchOrder
    position: Callable[[], tuple[int, int]] = lambda: (0, 0)
    end: Callable[[], int] | None = None
    partners: Callable[[Tensor, int], Tensor] | None = None
    num_workers: int = 0
    pin_memory: bool = False

    @cached_property
    def _workers(self) -> DataLoader[Batch]:
        return DataLoader(
            _Batches(self.source),
            sampler=_EpochIndices(self),
            batch_size=None,
            num_workers=self.num_workers,
            pin_memory=self.pin_memory,
            worker_init_fn=start_worker,
            persistent_workers=True,
        )

    def __len__(self) -> int:
        """Batches in a whole epoch, also when part of it is already done."""
        return len(self.order)

    def __iter__(self) -> Iterator[Batch]:
        number = self.position()[1]
        # Inside a generator: the workers start when the first batch is wanted, not before.
        fetched = self._workers if self.num_workers else map(self.source.fetch, self.indices())
        for batch in fetched:
            weight, images = self.order.batch_weight(number, self.end and self.end())
            yield batch._replace(weight=weight, step_images=images)
            number += 1

    def indices(self) -> Iterator[Tensor]:
        """The indices of each batch from the current position on, followed by the partners'."""
        epoch, first = self.position()
        for batch in self.order.batches(epoch, first):
            if self.partners is None:
                yield batch
            else:
                yield torch.cat([batch, self.partners(batch, epoch)])

    # The position is the Trainer's, but without these two Lightning warns on resuming in an epoch.
    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


@dataclass
class _Batches(Dataset[Batch]):
    """A data set whose items are batches, by their indices."""

    source: ImageDataset | ResidentImages

    def __getitem__(self, indices: Any) -> Batch:
        return self.source.fetch(indices)


@dataclass
class _EpochIndices:
    """Sampler of the indices of a loader's batches, anew each epoch."""

    loader: EpochLoader

    def __iter__(self) -> Iterator[Tensor]:
        return self.loader.indices()


def start_worker(worker: int) -> None:
    """Set up a loader process: one thread, and out of reach of signals to the trainer's group."""
    disable_opencv_threads()
    torch.set_num_threads(1)
    # Ctrl-C in a terminal and torchrun's SIGTERM reach a whole process group. It is the rank that
    # answers them, and until it has stopped it needs its batches. To ignore SIGTERM would not do:
    # at the interpreter's exit multiprocessing ends its children by it, and waits for them.
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
