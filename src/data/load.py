"""Load a data set: find, decode, cache, validate."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from src.config.schema import DataConfig
from src.data.cache import cache_places, cached
from src.data.decode import OPENCV_VERSION, resize_images, to_channels
from src.data.download import locate_or_download
from src.data.readers import open_reader
from src.data.readers.base import Reader, ReadOptions
from src.data.readers.image_folder import ImageFolder
from src.data.readers.shapes import TEST_SIZE, TRAIN_SIZE, Shapes
from src.data.registry import get_dataset
from src.data.types import ImageData, ImageSet
from src.data.validate import check_labels, find_duplicates, log_warnings, validate_data
from src.text import check_choice

_log = logging.getLogger(__name__)


def load_images(
    name: str,
    root: str | Path | None = None,
    *,
    image_size: int | None = None,
    channels: int | None = None,
    num_classes: int | None = None,
    labels: str = "fine",
    on_bad_image: str = "error",
    download: bool = True,
    cache_dir: str | Path | None = None,
    seed: int = 0,
    train_size: int | None = None,
    test_size: int | None = None,
    exclude: Sequence[str] = (),
    training: bool = True,
) -> ImageData:
    """Load a data set, whatever its format, decoded and checked.

    The decoded images are kept in a file and memory-mapped, see :mod:`src.data.cache`.

    Args:
        name: of a known data set, see :func:`src.data.registry.list_datasets`.
        root: a file or folder in any format known to :func:`src.data.readers.open_reader`; where
            nothing is there and ``name`` has addresses, it is downloaded. ``shapes`` needs none.
        image_size: side in pixels to resize to, aspect ratio not kept; None: as the files are.
        channels: 3 for RGB, 1 for grey; None: as the files are.
        num_classes: how many classes there must be; None: any number.
        labels: CIFAR-100's ``fine`` (100) or ``coarse`` (20) classes.
        on_bad_image: ``error``, or ``skip`` with a warning, for an image that cannot be decoded.
        download: whether to download what is not there.
        cache_dir: folder for the decoded images; None: beside the source, or in the user's cache
            directory where that is read-only.
        seed: draws ``shapes``, and picks the test images of class folders without a test folder.
            Two runs are comparable if theirs are equal.
        train_size, test_size: how many images of ``shapes`` to draw (10,000 and 2,000).
        exclude: patterns of files and folders that are left out of images in folders.
        training: whether the images must be fit to be trained on; False: they are looked at alone,
            and may lack training images or classes.

    Returns:
        Training and test images, uint8 (N, H, W, C), possibly memory-mapped and read-only.

    Raises:
        ValueError: an option is not accepted, there is no data, it is damaged, or it does not fit
            the options. The message is one line and names the option or the file.
        OSError: a file cannot be read.
    """
    info = get_dataset(name)
    check_choice("data.labels", labels, ("fine", "coarse"))
    check_choice("data.on_bad_image", on_bad_image, ("error", "skip"))
    if channels not in (None, 1, 3):
        raise ValueError(f"data.channels must be 1 (grey), 3 (RGB) or null, not {channels!r}")
    if image_size is not None and image_size < 1:
        raise ValueError(f"data.image_size must be at least 1 pixel, not {image_size}")
    if info.name == "shapes":
        source = _shapes(seed, train_size, test_size)
    else:
        if train_size is not None or test_size is not None:
            raise ValueError(f"train_size and test_size are options of shapes, not of {name}")
        path = locate_or_download(
            info, None if root is None else Path(root), allow_download=download
        )
        known = info.name if info.files else None
        source = open_reader(
            path, fine_labels=labels == "fine", dataset=known, exclude=tuple(exclude)
        )
    size = None if image_size is None else (image_size, image_size)
    options = ReadOptions(size, channels, on_bad_image == "skip", seed, training)
    chosen_dir = None if cache_dir is None else Path(cache_dir).expanduser()
    data = cached(
        _identity(source, options),
        cache_places(source.location, chosen_dir),
        lambda: _read(source, options),
        required=chosen_dir is not None,
    )
    if isinstance(source, ImageFolder):
        data = replace(data, notes=(*data.notes, *source.left_out))
    if training:
        validate_data(data, num_classes)
    else:
        check_labels(data)
    log_warnings(data)
    return data


def _shapes(seed: int, train_size: int | None, test_size: int | None) -> Reader:
    sizes = {"train_size": train_size, "test_size": test_size}
    for key, value in sizes.items():
        if value is not None and value < len(get_dataset("shapes").classes):
            raise ValueError(f"{key} must be at least 10, an image for each class, not {value}")
    return Shapes(seed, train_size or TRAIN_SIZE, test_size or TEST_SIZE)


def _identity(source: Reader, options: ReadOptions) -> dict[str, object]:
    """Everything the decoded images depend on."""
    return {
        "location": str(source.location and source.location.resolve()),
        "description": source.description,
        "fingerprint": source.fingerprint(),
        "size": options.size,
        "channels": options.channels,
        "skip_bad": options.skip_bad,
        "seed": options.seed,
        "opencv": OPENCV_VERSION,  # its decoders round differently from version to version
    }


def _read(source: Reader, options: ReadOptions) -> ImageData:
    _log.info("reading %s", source.description)
    data = source.read(options)
    train, test = _converted(data.train, options), _converted(data.test, options)
    validation = None if data.validation is None else _converted(data.validation, options)
    duplicates = find_duplicates(train, test)
    return replace(data, train=train, test=test, validation=validation, duplicates=duplicates)


def _converted(images: ImageSet, options: ReadOptions) -> ImageSet:
    """In the size and colours asked for; a source may have delivered them already."""
    array = images.images
    if options.size is not None:
        array = resize_images(array, options.size)
    array = to_channels(array, options.channels)
    return ImageSet(np.ascontiguousarray(array), images.labels, images.names)


def open_images(config: DataConfig, *, training: bool = True) -> ImageData:
    """Load, or decode and keep, the images of ``config``.

    Args:
        config: where they are.
        training: whether they must be fit to be trained on, see :func:`load_images`.

    Raises:
        ValueError: the images are not what the configuration says; names the key.
        OSError: they cannot be read or downloaded.
    """
    return load_images(
        config.name,
        Path(config.root) if config.root else None,
        image_size=config.image_size,
        channels=config.channels,
        num_classes=config.num_classes,
        labels=config.labels,
        on_bad_image=config.on_bad_image,
        download=config.download,
        cache_dir=Path(config.cache_dir) if config.cache_dir else None,
        seed=config.split_seed,
        exclude=config.exclude,
        training=training,
    )
