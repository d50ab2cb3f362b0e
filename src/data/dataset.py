"""Image dataset (a :class:`torch.utils.data.Dataset`) with a fast way to whole batches."""

import mmap
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from src.config.compose import data_settings
from src.data.load import open_images
from src.data.types import ImageSet

_Sample = tuple[Any, int]


class Batch(NamedTuple):
    """Images on their way to the device.

    Attributes:
        images: uint8 (N, C, H, W), values 0..255, channels-last in memory.
        labels: int64 (N,).
        indices: int64 (N,), the images' places in the data set.
        targets: class probabilities (N, classes) where images are mixtures; None: the labels.
        weight: factor of the batch's mean loss, so that the average over the ranks, and over the
            batches that are accumulated for a step, is the mean over the step's images: ranks x
            accumulated batches x own images / the step's images. 0 for a padding image, which a
            rank without images gets because all ranks must take the step.
        step_images: images of the batch on all ranks together; None: these are all.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    targets: Tensor | None = None
    weight: float = 1.0
    step_images: int | None = None


class ImageDataset(Dataset[_Sample]):
    """Images with labels; item i is (uint8 array (H, W, C), label), as RGB or grey.

    Works with any ``DataLoader``, whose batches it fetches in one indexing operation, and by
    itself: ``fetch`` returns a :class:`Batch` of tensors.

    Args:
        images: uint8 (N, H, W, C); C is 3 (RGB) or 1 (grey). May be memory-mapped.
        labels: integers (N,), 0 to ``len(classes) - 1``.
        classes: the name of each label.
        transform: applied to each image array as it is taken out by index.

    Raises:
        ValueError: the shapes or the type of the arrays are not these.
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
        backwards = min(images.strides) < 0
        self.images = np.ascontiguousarray(images) if backwards else images
        self.classes = tuple(classes)
        self.transform = transform
        self._tensor: Tensor | None = None

    @classmethod
    def from_set(
        cls,
        image_set: ImageSet,
        classes: Sequence[str],
        transform: Callable[[NDArray[np.uint8]], Any] | None = None,
    ) -> "ImageDataset":
        """The images of a set."""
        return cls(image_set.images, image_set.labels, classes, transform)

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
        """Training or test images from files.

        Args:
            name: an option of ``conf/data/``, which has the defaults.
            root: where the files are.
            train: training images; False: test images.
            transform: see the class.
            settings: others of ``data`` in a configuration.
        """
        config = data_settings(name, root=root, **settings)
        data = open_images(config)
        return cls.from_set(data.train if train else data.test, data.classes, transform)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> _Sample:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[_Sample]:
        """Several items at once; ``DataLoader`` prefers this. Raises IndexError as a list does."""
        chosen = self._checked(indices)
        images, labels = np.asarray(self.images)[chosen], self.labels[chosen].tolist()
        if self.transform is None:
            return list(zip(images, labels, strict=True))
        return [(self.transform(i), label) for i, label in zip(images, labels, strict=True)]

    def fetch(self, indices: Sequence[int] | NDArray[np.int64] | Tensor) -> Batch:
        """Take out a batch: one copy of the images' bytes, no transform.

        Args:
            indices: integers (N,), 0 to ``len(self) - 1``; negative ones count from the end.

        Raises:
            IndexError: an index is out of range.
        """
        chosen = self._checked(indices)
        places = torch.from_numpy(chosen)
        # Whole images at once: several times the speed of numpy's take.
        if self._tensor is None:
            self._tensor = _as_tensor(self.images)
        images = self._tensor.index_select(0, places).permute(0, 3, 1, 2)
        return Batch(images, torch.from_numpy(self.labels[chosen]), places)

    def _checked(self, indices: Sequence[int] | NDArray[np.int64] | Tensor) -> NDArray[np.int64]:
        """Indices 0..N-1 as a new array."""
        if isinstance(indices, Tensor):
            indices = indices.numpy()
        chosen = np.array(indices, dtype=np.int64)
        count = len(self)
        outside = (chosen < -count) | (chosen >= count)
        if outside.any():
            raise IndexError(f"index {chosen[outside][0]} is out of range for {count} images")
        return np.where(chosen < 0, chosen + count, chosen)

    def __getstate__(self) -> dict[str, Any]:
        """Hand a loader process the name of a memory-mapped file, not its content."""
        state = self.__dict__ | {"_tensor": None}
        images = self.images
        # The map itself, not a part of one, whose offset numpy does not know.
        if isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap):
            state["images"] = _MappedFile(str(images.filename), images.offset, images.shape)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        images = state["images"]
        self.__dict__.update(
            state, images=images.open() if isinstance(images, _MappedFile) else images
        )


def _as_tensor(images: NDArray[np.uint8]) -> Tensor:
    """The same memory as a tensor, to be read alone."""
    with warnings.catch_warnings():
        # A mapped file cannot be written, and torch has no tensors of that kind.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(images)


class _MappedFile(NamedTuple):
    path: str
    offset: int
    shape: tuple[int, ...]

    def open(self) -> NDArray[np.uint8]:
        return np.memmap(self.path, np.uint8, "r", self.offset, self.shape)
