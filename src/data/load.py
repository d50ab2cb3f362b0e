"""Open a data set: find or download, decode, cache, validate."""

import logging
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from src.config.schema import DataConfig
from src.data.cache import cache_places, cached
from src.data.decode import OPENCV_VERSION, resize_and_convert_all
from src.data.download import locate_or_download
from src.data.image_data import ImageData, ImageSet, duplicate_warnings, validate_data
from src.data.readers import open_reader
from src.data.readers.base import Reader, ReadOptions
from src.data.readers.image_folder import ImageFolder
from src.data.readers.shapes import Shapes
from src.data.registry import DATASETS

log = logging.getLogger(__name__)


def open_images(config: DataConfig, *, training: bool = True) -> ImageData:
    """Find or download, decode, cache and check a data set, whatever its format.

    The images are memory-mapped, and read-only, where the cache can be written. For data that is
    missing, damaged or not as configured a ValueError names the file or the key. Without
    ``training``, training images and whole classes may be missing.
    """
    reader = _open_reader(config)
    size = None if config.image_size is None else (config.image_size, config.image_size)
    skip_bad = config.on_bad_image == "skip"
    options = ReadOptions(size, config.channels, skip_bad, config.split_seed, training)
    cache_dir = Path(config.cache_dir).expanduser() if config.cache_dir else None
    data = cached(
        _identity(reader, options),
        cache_places(reader.location, cache_dir),
        lambda: _read(reader, options),
        required=cache_dir is not None,
    )
    if isinstance(reader, ImageFolder):
        data = replace(data, notes=(*data.notes, *reader.selection.notes))
    validate_data(data, config.num_classes, training=training)
    return data


def _open_reader(config: DataConfig) -> Reader:
    if config.name == "shapes":
        return Shapes(config.split_seed)
    info = DATASETS[config.name]
    root = Path(config.root) if config.root else None
    return open_reader(
        locate_or_download(info, root, allow_download=config.download),
        fine_labels=config.labels == "fine",
        dataset=info.name if info.files else None,
        exclude=tuple(config.exclude),
    )


def _identity(reader: Reader, options: ReadOptions) -> dict[str, object]:
    """Everything that the decoded images depend on."""
    identity = asdict(options)
    del identity["training"]
    return identity | {
        "location": str(reader.location and reader.location.resolve()),
        "description": reader.description,
        "fingerprint": reader.fingerprint(),
        "opencv": OPENCV_VERSION,  # its decoders round differently from version to version
    }


def _read(reader: Reader, options: ReadOptions) -> ImageData:
    def convert(images: ImageSet) -> ImageSet:
        """In the size and colors asked for; a reader may have delivered them already."""
        array = resize_and_convert_all(images.images, options.size, options.channels)
        return replace(images, images=np.ascontiguousarray(array))

    log.info("reading %s", reader.description)
    data = reader.read(options)
    train, test = convert(data.train), convert(data.test)
    validation = None if data.validation is None else convert(data.validation)
    warnings = (*data.warnings, *duplicate_warnings(train, test))
    return replace(data, train=train, test=test, validation=validation, warnings=warnings)
