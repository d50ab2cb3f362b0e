"""Validation of a loaded data set: labels, classes, duplicates."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from src.data.types import ImageData, ImageSet
from src.text import printable

_NAMED = 10  # classes that a message lists

_log = logging.getLogger(__name__)


def validate_data(data: ImageData, num_classes: int | None) -> None:
    """Raise ValueError for images that cannot be trained and tested on as configured."""
    count = len(data.classes)
    if num_classes not in (None, count):
        raise ValueError(
            f"data.num_classes={num_classes}, but there are {count} classes in {data.source}: "
            f"{_listed(data.classes)}"
        )
    check_labels(data)
    labels = data.train.labels
    if data.test_held_out:
        labels = np.concatenate([labels, data.test.labels])
    check_classes(data.classes, labels, data.test_held_out, data.description)
    if not len(data.test):
        raise ValueError(f"{data.source}: there are no test images")


def check_labels(data: ImageData) -> None:
    """Raise ValueError for two classes of one name and for a label that names no class."""
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
    classes: Sequence[str],
    labels: NDArray[np.int64],
    test_held_out: bool,
    where: str,
    *,
    validation_held_out: bool = False,
) -> None:
    """Raise ValueError unless there are two classes, each with enough training images.

    Args:
        classes: name of each label.
        labels: int64 (N,), 0 or above, of the training images before any are held out.
        test_held_out: whether the test images are taken from them.
        where: place of the images, for the message.
        validation_held_out: whether the validation images are taken from them.
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
            f"those that have: {_listed(present)}"
        )
    uses = ["training", *["validation"] * validation_held_out, *["testing"] * test_held_out]
    if fewest < len(uses):
        raise ValueError(
            f"{where}: class {printable(classes[rarest])} has {fewest} training image(s): at least "
            f"{len(uses)} are needed, one each for {', '.join(uses)}"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(printable, names[:_NAMED])) + (", ..." if len(names) > _NAMED else "")


def duplicate_warnings(train: ImageSet, test: ImageSet) -> list[str]:
    """A line if test images have the pixels of a training image, whatever the labels.

    Both sets are contiguous and of one height, width and channels. Compares digests of 128 bits:
    0.3 s for 60,000 images of 32x32.
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
    """Count the images (N, H, W, C) with the pixels of an image of another class.

    Images with a label below 0 are not used.
    """
    pairs = [pair for pair in zip(_digests(images), labels.tolist(), strict=True) if pair[1] >= 0]
    classes = Counter(digest for digest, _ in set(pairs))
    return sum(classes[digest] > 1 for digest, _ in pairs)


def _digests(images: NDArray[np.uint8]) -> Iterator[bytes]:
    return (hashlib.blake2b(image.data, digest_size=16).digest() for image in images)


def log_warnings(data: ImageData) -> None:
    """Log the data's warnings and classes without images."""
    for line in data.warnings:
        _log.warning("%s", line)
    for part, images in (("validation", data.validation), ("test", data.test)):
        if images and (absent := set(range(len(data.classes))) - set(images.labels.tolist())):
            names = [data.classes[label] for label in sorted(absent)]
            _log.warning("%s: no %s images of %s", data.source, part, _listed(names))
