"""Data sets as readers deliver them, and whether they are fit to be trained on."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from src.text import first_names, printable

_NAMED = 10  # classes that a message lists

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageSet:
    """Images of one size with a label each.

    Attributes:
        images: uint8 (N, H, W, C), C is 3 (RGB) or 1 (gray); may be a read-only memory map.
        labels: int64 (N,), indices into the classes.
        names: origin of each image: path below the root or in the archive, ``data_batch_1[17]``.
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
    """A data set: images to train on and to test on, and the names of the classes."""

    train: ImageSet  # before a validation split is taken from them
    test: ImageSet
    classes: tuple[str, ...]  # name of each label
    source: str  # format and place
    validation: ImageSet | None = None  # the source's own, if it has any
    test_held_out: bool = False  # taken from the training images: the source has no test images
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # how the source was understood and what was left out

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


@dataclass(frozen=True)
class ReadOptions:
    """How a data set is read."""

    size: tuple[int, int] | None = None  # (height, width) to resize to; None: as the files are
    channels: int | None = None  # 3 for RGB, 1 for gray; None: as the files are
    skip_bad: bool = False  # leave out images that cannot be decoded instead of raising
    seed: int = 0  # decides which images are held out where there is no test set
    training: bool = True  # every class must have training images; does not change what is read


def validate_data(data: ImageData, num_classes: int | None, *, training: bool) -> None:
    """Raise ValueError for wrong labels and for what cannot be trained on; log the warnings."""
    count = len(data.classes)
    if training and num_classes not in (None, count):
        raise ValueError(
            f"data.num_classes={num_classes}, but there are {count} classes in {data.source}: "
            f"{first_names(data.classes, _NAMED)}"
        )
    _check_labels(data)
    if training:
        labels, uses = data.train.labels, ["training"]
        if data.test_held_out:
            labels, uses = np.concatenate([labels, data.test.labels]), [*uses, "testing"]
        check_classes(data.classes, labels, data.description, uses)
        if not len(data.test):
            raise ValueError(f"{data.source}: there are no test images")
    _log_warnings(data)


def _check_labels(data: ImageData) -> None:
    for name, times in Counter(data.classes).items():
        if times > 1:
            raise ValueError(f"{times} classes in {data.source} are called {printable(name)}")
    count = len(data.classes)
    for images in filter(None, (data.train, data.validation, data.test)):
        # The loss silently ignores a label of -100, and others crash a GPU.
        bad = np.flatnonzero((images.labels < 0) | (images.labels >= count))
        if bad.size:
            name, label = printable(images.names[bad[0]]), images.labels[bad[0]]
            raise ValueError(
                f"{name} in {data.source} has label {label}; labels are 0 to {count - 1}"
            )


def check_classes(
    classes: Sequence[str], labels: NDArray[np.int64], where: str, uses: Sequence[str]
) -> None:
    """Raise ValueError unless there are two classes, each with an image for each of the uses.

    ``labels`` are those of the training images before any are held out, ``uses`` what they are
    divided among: training and what is held out. ``where`` is for the message.
    """
    if not labels.size:
        raise ValueError(f"{where}: there are no training images")
    counts = np.bincount(labels, minlength=len(classes))
    present = [name for name, count in zip(classes, counts, strict=True) if count]
    if len(present) < 2:
        raise ValueError(
            f"{where}: the training images are of a single class, {printable(present[0])}; at "
            "least two are needed"
        )
    fewest, rarest = int(counts.min()), int(counts.argmin())
    if not fewest:
        raise ValueError(
            f"{where}: class {printable(classes[rarest])} (label {rarest}) has no training image; "
            f"those that have: {first_names(present, _NAMED)}"
        )
    if fewest < len(uses):
        raise ValueError(
            f"{where}: class {printable(classes[rarest])} has {fewest} training image(s): at least "
            f"{len(uses)} are needed, one each for {', '.join(uses)}"
        )


def duplicate_warnings(train: ImageSet, test: ImageSet) -> list[str]:
    """A line if test images have the pixels of a training image, whatever the labels.

    Both sets are contiguous and of one shape. 0.3 s for 60,000 images of 32x32.
    """
    places = {digest: place for place, digest in enumerate(_digests(train.images))}
    pairs = [(place, places[d]) for place, d in enumerate(_digests(test.images)) if d in places]
    if not pairs:
        return []
    first, twin = printable(test.names[pairs[0][0]]), printable(train.names[pairs[0][1]])
    return [
        f"{len(pairs)} of the {len(test)} test images are training images too, pixel for pixel, "
        f"such as {first} ({twin}); the test accuracy is too high by what was memorized"
    ]


def count_contradictions(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> int:
    """Count images with the pixels of an image of another class; a label below 0 is no class."""
    pairs = [pair for pair in zip(_digests(images), labels.tolist(), strict=True) if pair[1] >= 0]
    classes = Counter(digest for digest, _ in set(pairs))
    return sum(classes[digest] > 1 for digest, _ in pairs)


def _digests(images: NDArray[np.uint8]) -> Iterator[bytes]:
    return (hashlib.blake2b(image.data, digest_size=16).digest() for image in images)


def _log_warnings(data: ImageData) -> None:
    for line in data.warnings:
        log.warning("%s", line)
    for part, images in (("validation", data.validation), ("test", data.test)):
        if images and (absent := set(range(len(data.classes))) - set(images.labels.tolist())):
            names = first_names([data.classes[label] for label in sorted(absent)], _NAMED)
            log.warning("%s: no %s images of %s", data.source, part, names)
