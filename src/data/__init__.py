"""Images and labels: file formats, decoding, cache, split and the dataset.

The names below are loaded on first use, so that reading images does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from src.data.dataset import Batch, ImageDataset
    from src.data.load import load_images
    from src.data.registry import DatasetInfo, get_dataset, list_datasets
    from src.data.split import indices_hash, stratified_split
    from src.data.types import ImageData, ImageSet

__all__ = [
    "Batch",
    "DatasetInfo",
    "ImageData",
    "ImageDataset",
    "ImageSet",
    "get_dataset",
    "indices_hash",
    "list_datasets",
    "load_images",
    "stratified_split",
]

_HOMES = {
    "Batch": "dataset",
    "DatasetInfo": "registry",
    "ImageData": "types",
    "ImageDataset": "dataset",
    "ImageSet": "types",
    "get_dataset": "registry",
    "indices_hash": "split",
    "list_datasets": "registry",
    "load_images": "load",
    "stratified_split": "split",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
