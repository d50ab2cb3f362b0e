"""Images with labels as a ``torch.utils.data.Dataset`` that also fetches whole batches."""

import mmap
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from src.config.compose import data_settings
from src.data.load import open_images

_Sample = tuple[Any, int]


class Batch(NamedTuple):
    """Images on their way to the device.

    ``weight`` is the factor of the batch's mean loss, so that the average over the ranks, and over
    the batches that are accumulated for a step, is the mean over the step's images: ranks x
    accumulated batches x own images / the step's images. It is 0 for a padding image, which a rank
    without images gets because all ranks must take the step.
    """

    images: Tensor  # uint8 (N, C, H, W), channels-last in memory
    labels: Tensor  # int64 (N,)
    indices: Tensor  # int64 (N,), places in the data set
    targets: Tensor | None = None  # class probabilities (N, classes) of mixed images
    weight: float = 1.0
    step_images: int | None = None  # images of the batch on all ranks; None: these are all


class ImageDataset(Dataset[_Sample]):
    """Images with labels; item i is (uint8 array (H, W, C), label), RGB or gray.

    Args:
        images: uint8 (N, H, W, C), C is 3 (RGB) or 1 (gray); may be memory-mapped.
        labels: integers (N,), 0 to ``len(classes) - 1``.
        transform: applied to the image of an item, but not of ``fetch``'s batch.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64] | Sequence[int],
        classes: Sequence[str],
        transform: Callable[[NDArray[np.uint8]], Any] | None = None,
    ):
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
            raise ValueError(
                f"images are {images.dtype} of shape {images.shape}; uint8 (N, H, W, 1 or 3) is "
                "expected"
            )
        self.labels = np.asarray(labels, dtype=np.int64)
        if self.labels.shape != (len(images),):
            raise ValueError(f"{len(images)} images have labels of shape {self.labels.shape}")
        # torch has no tensors that run backwards.
        self.images = np.ascontiguousarray(images) if min(images.strides) < 0 else images
        self.classes = tuple(classes)
        self.transform = transform

    @classmethod
    def open(
        cls,
        name: str,
        root: str | Path | None = None,
        *,
        train: bool = True,
        transform: Callable[[NDArray[np.uint8]], Any] | None = None,
        **settings: Any,
    ) -> "ImageDataset":
        """Open the images at ``root`` with the settings of option ``name`` of ``conf/data/``."""
        data = open_images(data_settings(name, root=root, **settings))
        part = data.train if train else data.test
        return cls(part.images, part.labels, data.classes, transform)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> _Sample:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[_Sample]:
        """Several items at once, which ``DataLoader`` prefers."""
        images, labels = np.asarray(self.images)[indices], self.labels[indices].tolist()
        transformed = images if self.transform is None else map(self.transform, images)
        return list(zip(transformed, labels, strict=True))

    def fetch(self, indices: Sequence[int] | NDArray[np.int64] | Tensor) -> Batch:
        """Take out a batch: one copy of the images' bytes; negative indices count from the end."""
        chosen = np.asarray(indices, dtype=np.int64)
        labels = torch.from_numpy(self.labels[chosen])  # IndexError for one out of range
        places = torch.from_numpy(chosen % len(self))
        # Whole images at once: several times the speed of NumPy's take.
        return Batch(self._tensor.index_select(0, places).permute(0, 3, 1, 2), labels, places)

    @cached_property
    def _tensor(self) -> Tensor:
        """The images' own memory as a tensor; nobody may write to it."""
        with warnings.catch_warnings():
            # torch has no read-only tensors.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            return torch.from_numpy(self.images)

    def __getstate__(self) -> dict[str, Any]:
        """Give a loader process the name of a memory-mapped file instead of its content."""
        state = self.__dict__.copy()
        state.pop("_tensor", None)
        images = self.images
        # Only a whole map: NumPy does not know the offset of a part of one.
        if isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap):
            state["images"] = partial(
                np.memmap, str(images.filename), np.uint8, "r", images.offset, images.shape
            )
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if isinstance(self.images, partial):
            self.images = self.images()
