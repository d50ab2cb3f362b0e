"""Data sets as readers deliver them: uint8 images with integer labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageSet:
    """Images of one size with a label each.

    Attributes:
        images: uint8 (N, H, W, C), C is 3 (RGB) or 1 (gray); may be a read-only memory map.
        labels: int64 (N,), indices into the classes.
        names: origin of each image: path below the root or in the archive, `data_batch_1[17]`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    names: Sequence[str]

    def __post_init__(self) -> None:
        assert self.images.dtype == np.uint8 and self.images.ndim == 4, self.images.shape
        assert self.labels.dtype == np.int64 and self.labels.ndim == 1, self.labels.shape
        assert len(self.images) == len(self.labels) == len(self.names), "one label, one name each"

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ImageData:
    """A data set: images to train on and to test on, and the names of the classes.

    Attributes:
        train: training images, before a validation split is taken from them.
        test: test images.
        classes: name of each label.
        source: format and place of the data.
        validation: the source's own validation images, if it has any.
        test_held_out: whether the test images were taken from the training images because the
            source has none.
        warnings: lines that a user should see.
        notes: how the source was understood and what was left out, for the log.
    """

    train: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    source: str
    validation: ImageSet | None = None
    test_held_out: bool = False
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Source and notes in one line."""
        return f"{self.source} ({'; '.join(self.notes)})" if self.notes else self.source

    @property
    def whole(self) -> ImageSet:
        """Images of all parts as one set, sorted by name."""
        parts = [part for part in (self.train, self.validation, self.test) if part]
        names = [name for part in parts for name in part.names]
        order = sorted(range(len(names)), key=names.__getitem__)
        return ImageSet(
            np.concatenate([part.images for part in parts])[order],
            np.concatenate([part.labels for part in parts])[order],
            [names[index] for index in order],
        )
