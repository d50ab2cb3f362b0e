"""Is what has been read fit to be trained on?"""

import logging

import numpy as np

from src.data.types import Duplicates, ImageData
from src.names import printable

__all__ = ["check_data", "warn_of"]

_log = logging.getLogger(__name__)


def check_data(data: ImageData, num_classes: int | None) -> None:
    """Raise ValueError for what would go wrong, or worse, unnoticed, in training.

    That is: another number of classes than wanted, two of one name, a part without images, a label
    that names no class, and a class without a training image.

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
    named = {name: data.classes.count(name) for name in data.classes}
    twice = next((name for name, times in named.items() if times > 1), None)
    if twice is not None:
        raise ValueError(f"{named[twice]} classes in {data.source} are called {printable(twice)}")
    for part, images in (("training", data.train), ("test", data.test)):
        if len(images) == 0:
            raise ValueError(f"there are no {part} images in {data.source}")
        # The loss passes over a label of -100 without a word, and others crash a GPU.
        bad = np.flatnonzero((images.labels < 0) | (images.labels >= count))
        if bad.size:
            name, label = printable(images.names[bad[0]]), images.labels[bad[0]]
            raise ValueError(
                f"{name} in {data.source} has label {label}; labels are 0 to {count - 1}"
            )
    counts = np.bincount(data.train.labels, minlength=count)
    if np.count_nonzero(counts) < 2:
        raise ValueError(
            f"the training images in {data.source} are of a single class; at least two are needed"
        )
    if not counts.all():
        absent = int(counts.argmin())
        raise ValueError(
            f"class {printable(data.classes[absent])} (label {absent}) has no training image in "
            f"{data.source}"
        )


def warn_of(duplicates: Duplicates | None, count: int) -> None:
    """Log a warning where some of ``count`` test images are training images as well."""
    if duplicates is not None:
        _log.warning(
            "%d of the %d test images are training images too, pixel for pixel, such as %s (%s); "
            "the test accuracy counts what was learnt by heart",
            duplicates.count,
            count,
            printable(duplicates.test),
            printable(duplicates.train),
        )
