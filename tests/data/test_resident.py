"""Images that lie on the device lie there once, and only where all of them fit."""

from typing import Any

import pytest
import torch

from src.augment.pipeline import Augment
from src.config.compose import data_settings
from src.data import module as data_module
from src.data.dataset import ImageDataset
from src.data.loader import ResidentImages
from src.data.module import ImageDataModule


def opened(cifar: str, **options: Any) -> ImageDataModule:
    root = cifar.partition("=")[2]
    config = data_settings("cifar10", root=root, batch_size=32, **options)
    data = ImageDataModule(config, Augment(seed=0), seed=0)
    data.setup()
    return data


@pytest.mark.parametrize("validate_on", ["validation", "test"])
def test_each_set_lies_on_the_device_once(cifar: str, validate_on: str) -> None:
    data = opened(cifar, resident="always", validate_on=validate_on)
    loaders = [data.train_dataloader(), data.val_dataloader(), data.test_dataloader()]
    places = {loader.source.images.data_ptr() for loader in loaders}  # type: ignore[union-attr]
    assert len(places) == 2, "training and test images"


@pytest.mark.parametrize(("share", "fits"), [(1.01, True), (0.99, False)])
def test_whether_they_fit_is_asked_of_all_of_them_together(
    cifar: str, monkeypatch: pytest.MonkeyPatch, share: float, fits: bool
) -> None:
    """240 images of 3,072 bytes; a quarter of the free memory is theirs."""
    free = int(4 * 240 * 3072 * share)

    class OnHost(ResidentImages):
        """As on a GPU, for a test without one: each set makes the free memory less."""

        def __init__(self, dataset: ImageDataset, device: torch.device):
            nonlocal free
            super().__init__(dataset, torch.device("cpu"))
            free -= dataset.images.nbytes

    monkeypatch.setattr(data_module, "ResidentImages", OnHost)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 0))
    data = opened(cifar)
    found = [
        data._resident_images(part, torch.device("cuda"))
        for part in (data.train_set, data.test_set)
    ]
    assert [images is not None for images in found] == [fits, fits]
