"""Validation of a loaded data set: labels, classes, duplicates."""

import hashlib
import logging
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from src.data.types import Duplicates, ImageData, ImageSet
from src.text import printable


def _digests(images: NDArray[np.uint8]) -> Iterator[bytes]:
    return (hashlib.blake2b(image.data, digest_size=16).digest() for image in images)


def find_duplicates(train: ImageSet, test: ImageSet) -> Duplicates | None:
    """Test images whose bytes are those of a training image, whatever the labels; or None.

    Compares digests of 128 bits; 0.3 s for 60,000 images of 32x32.

    Args:
        train, test: images (N, H, W, C), contiguous, of the same height, width and channels.
    """
    seen = {digest: place for place, digest in enumerate(_digests(train.images))}
    found = [(place, seen[d]) for place, d in enumerate(_digests(test.images)) if d in seen]
    if not found:
        return None
    first, twin = found[0]
    return Duplicates(len(found), test.names[first], train.names[twin])


def count_contradictions(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> int:
    """How many images have the pixels of an image of another class.

    Images are (N, H, W, C); those with a label below 0 are not used.
    """
    digests = list(_digests(images))
    classes: dict[bytes, set[int]] = {}
    for digest, label in zip(digests, labels.tolist(), strict=True):
        if label >= 0:
            classes.setdefault(digest, set()).add(label)
    twice = {digest for digest, found in classes.items() if len(found) > 1}
    return sum(d in twice for d, label in zip(digests, labels, strict=True) if label >= 0)


_log = logging.getLogger(__name__)


def check_labels(data: ImageData) -> None:
    """Raise ValueError for two classes of one name and for a label that names no class."""
    count = len(data.classes)
    named = {name: data.classes.count(name) for name in data.classes}
    twice = next((name for name, times in named.items() if times > 1), None)
    if twice is not None:
        raise ValueError(f"{named[twice]} classes in {data.source} are called {printable(twice)}")
    for images in filter(None, (data.train, data.validation, data.test)):
        # The loss passes over a label of -100 without a word, and others crash a GPU.
        bad = np.flatnonzero((images.labels < 0) | (images.labels >= count))
        if bad.size:
            name, label = printable(images.names[bad[0]]), images.labels[bad[0]]
            raise ValueError(
                f"{name} in {data.source} has label {label}; labels are 0 to {count - 1}"
            )


def validate_data(data: ImageData, num_classes: int | None) -> None:
    """Raise ValueError for what would go wrong, or worse, unnoticed, in training.

    That is: another number of classes than wanted, a part without images, and what
    :func:`check_labels` and :func:`check_classes` look for.

    Args:
        data: what is to be trained and tested on.
        num_classes: how many classes there must be; None: any number.
    """
    count = len(data.classes)
    if num_classes is not None and num_classes != count:
        shown = ", ".join(data.classes[:10]) + (", ..." if count > 10 else "")
        raise ValueError(
            f"data.num_classes={num_classes}, but there are {count} classes in {data.source}: "
            f"{shown}"
        )
    check_labels(data)
    held_out = data.test.labels[: len(data.test) if data.test_held_out else 0]
    labels = np.concatenate([data.train.labels, held_out])
    check_classes(data.classes, labels, data.test_held_out, data.description)
    if not len(data.test):
        raise ValueError(f"{data.source}: there are no test images")


def check_classes(
    classes: Sequence[str], labels: NDArray[np.int64], test_held_out: bool, where: str
) -> None:
    """Raise ValueError unless there are two classes, each with training images.

    Args:
        classes: the name of each label.
        labels: of the training images, before any are held out: int64 (N,), each 0 or above.
        test_held_out: whether the test images are taken from them.
        where: the images, for the message.
    """
    if not labels.size:
        raise ValueError(f"{where}: there are no training images")
    counts = np.bincount(labels, minlength=len(classes))
    present = [printable(name) for name, count in zip(classes, counts, strict=True) if count]
    if len(present) < 2:
        raise ValueError(
            f"{where}: the training images are of a single class, {present[0]}; at least two are "
            "needed"
        )
    if len(present) < len(classes):
        label = int(counts.argmin())
        raise ValueError(
            f"{where}: class {printable(classes[label])} (label {label}) has no training image; "
            f"those that have: {', '.join(present[:10])}" + (", ..." if len(present) > 10 else "")
        )
    if test_held_out and counts.min() < 2:
        name = printable(classes[int(counts.argmin())])
        raise ValueError(
            f"{where}: class {name} has a single image; without images for testing at least two "
            "are needed, one of them to test on"
        )


def log_warnings(data: ImageData) -> None:
    """Log what a user should know: the source's warnings, and test images to be trained on."""
    for line in data.warnings:
        _log.warning("%s", line)
    for part, images in (("validation", data.validation), ("test", data.test)):
        if images and (absent := set(range(len(data.classes))) - set(images.labels.tolist())):
            names = [printable(data.classes[label]) for label in sorted(absent)]
            _log.warning("%s: no %s images of %s", data.source, part, ", ".join(names[:10]))
    duplicates, count = data.duplicates, len(data.test)
    if duplicates is not None:
        _log.warning(
            "%d of the %d test images are training images too, pixel for pixel, such as %s (%s); "
            "the test accuracy counts what was learnt by heart",
            duplicates.count,
            count,
            printable(duplicates.test),
            printable(duplicates.train),
        )
