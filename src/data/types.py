"""What every reader delivers: uint8 images with integer labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageSet:
    """Images of one size with a label each.

    Attributes:
        images: uint8 (N, H, W, C), values 0..255; C is 3 (RGB) or 1 (grey). May be a read-only
            memory map.
        labels: int64 (N,), each an index into the classes of the data.
        names: where each image comes from: its file's path below the root or within the archive,
            or ``data_batch_1[17]``.
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
class Duplicates:
    """Test images that are training images as well, pixel for pixel.

    Attributes:
        count: of the test images.
        test, train: an example, the names of the two.
    """

    count: int
    test: str
    train: str


@dataclass(frozen=True)
class ImageData:
    """A data set: what to train on, what to test on, and the names of the classes.

    Attributes:
        train: the training images; no validation split is taken from them here.
        test: the test images.
        classes: the name of each label.
        source: what the data was recognised as, and where.
        validation: the images that the source has for validation; None if it has none.
        test_held_out: whether the test images were taken from the training images, because the
            source has none for testing.
        duplicates: images that are in both sets, if there are any and they were looked for.
        warnings: what a user should know of the images, a line each.
        notes: how they were understood and what was left out, for the log.
    """

    train: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    source: str
    validation: ImageSet | None = None
    test_held_out: bool = False
    duplicates: Duplicates | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Source and notes in one line."""
        return f"{self.source} ({'; '.join(self.notes)})" if self.notes else self.source

    @property
    def whole(self) -> ImageSet:
        """The images of all parts as one set, sorted by name."""
        parts = [part for part in (self.train, self.validation, self.test) if part]
        names = [name for part in parts for name in part.names]
        order = sorted(range(len(names)), key=names.__getitem__)
        return ImageSet(
            np.concatenate([part.images for part in parts])[order],
            np.concatenate([part.labels for part in parts])[order],
            [names[index] for index in order],
        )
