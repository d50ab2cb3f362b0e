"""The images that a configuration names."""

from pathlib import Path

from src.config.schema import DataConfig
from src.data.load import load_images
from src.data.types import ImageData

__all__ = ["open_images"]


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
