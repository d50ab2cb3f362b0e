"""The dataset in anyone's loop: items, batches, errors, loader processes."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from src.data.dataset import Batch, ImageDataset
from src.errors import ConfigError
from tests.fixtures.datasets import cifar10_python_files, load_images, random_images, write_files

IMAGES = random_images(20, size=8)
LABELS = np.arange(20) % 4
CLASSES = tuple("abcd")


@pytest.fixture
def dataset() -> ImageDataset:
    return ImageDataset(IMAGES, LABELS, CLASSES)


@pytest.fixture
def mapped(tmp_path: Path) -> ImageDataset:
    root = write_files(tmp_path / "c", cifar10_python_files())
    return ImageDataset.open("cifar10", root)


def test_an_item_is_an_image_and_its_label(dataset: ImageDataset):
    image, label = dataset[6]
    assert np.array_equal(image, IMAGES[6])
    assert image.dtype == np.uint8
    assert label == 2
    assert type(label) is int
    assert len(dataset) == 20
    assert dataset.classes == CLASSES
    assert np.array_equal(dataset[-1][0], IMAGES[19])


def test_items_can_be_changed_without_changing_the_data(mapped: ImageDataset):
    before = mapped[0][0].copy()
    mapped[0][0][:] = 0
    mapped.fetch([0]).images.zero_()
    assert np.array_equal(mapped[0][0], before)


def test_iteration_ends(dataset: ImageDataset):
    assert [label for _, label in dataset] == LABELS.tolist()


@pytest.mark.parametrize("index", [20, -21, 10**9])
def test_out_of_range(dataset: ImageDataset, index: int):
    for take in (lambda: dataset[index], lambda: dataset.fetch([0, index])):
        with pytest.raises(IndexError, match=rf"index {index} is out of bounds"):
            take()


def test_transform_is_applied_to_each_item(dataset: ImageDataset):
    dataset.transform = lambda image: torch.from_numpy(image).float().mean()
    assert dataset[3][0] == IMAGES[3].mean()
    items = dataset.__getitems__([1, 2])
    assert [float(value) for value, _ in items] == pytest.approx([IMAGES[n].mean() for n in (1, 2)])
    assert dataset.fetch([0]).images.dtype == torch.uint8


@pytest.mark.parametrize("workers", [0, 1])
def test_default_loader(mapped: ImageDataset, workers: int):
    loader = DataLoader(mapped, batch_size=16, num_workers=workers)
    batches = list(loader)
    assert [len(labels) for _, labels in batches] == [16, 16, 16, 2]
    images = torch.cat([images for images, _ in batches])
    assert images.dtype == torch.uint8
    assert np.array_equal(images.numpy(), mapped.images)
    assert torch.cat([labels for _, labels in batches]).tolist() == mapped.labels.tolist()


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor, tuple])
def test_fetch(dataset: ImageDataset, kind):
    batch = dataset.fetch(kind([5, 3, 5]))
    assert isinstance(batch, Batch)
    assert np.array_equal(batch.images.permute(0, 2, 3, 1).numpy(), IMAGES[[5, 3, 5]])
    assert batch.labels.tolist() == [1, 3, 1]
    assert batch.indices.tolist() == [5, 3, 5]
    assert batch.targets is None
    assert (batch.images.dtype, batch.labels.dtype, batch.indices.dtype) == (
        torch.uint8,
        torch.int64,
        torch.int64,
    )


def test_fetched_images_are_channels_last(dataset: ImageDataset):
    images = dataset.fetch(range(4)).images
    assert images.shape == (4, 3, 8, 8)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_indices_are_a_copy(dataset: ImageDataset):
    order = torch.tensor([1, 2])
    dataset.fetch(order).indices.zero_()
    assert order.tolist() == [1, 2]


def test_negative_indices_come_back_as_places(dataset: ImageDataset):
    assert dataset.fetch([-1, -20]).indices.tolist() == [19, 0]


def test_empty_batch(dataset: ImageDataset):
    assert dataset.fetch([]).images.shape == (0, 3, 8, 8)


def test_a_memory_mapped_set_is_pickled_by_its_name(mapped: ImageDataset):
    content = pickle.dumps(mapped)
    assert len(content) < mapped.images.nbytes / 10
    copy = pickle.loads(content)
    assert isinstance(copy.images, np.memmap)
    assert np.array_equal(copy.fetch(range(50)).images, mapped.fetch(range(50)).images)


def test_part_of_a_map_and_plain_arrays_are_pickled_whole(mapped: ImageDataset):
    part = ImageDataset(mapped.images[10:], mapped.labels[10:], mapped.classes)
    plain = ImageDataset(np.array(mapped.images), mapped.labels, mapped.classes)
    for dataset in (part, plain):
        assert np.array_equal(pickle.loads(pickle.dumps(dataset))[3][0], dataset[3][0])


def test_open_takes_either_part_and_options(tmp_path: Path):
    root = write_files(tmp_path / "c", cifar10_python_files())
    test = ImageDataset.open("cifar10", root, train=False, image_size=16, transform=np.mean)
    assert len(test) == 10
    assert test.images.shape[1:] == (16, 16, 3)
    assert test[0][0] == test.images[0].mean()
    data = load_images("cifar10", root)
    assert np.array_equal(test.labels, data.test.labels)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 4}, "data.channels=4: should be less than or equal to 3"),
        ({"image_size": 0}, "data.image_size=0: should be greater than or equal to 4"),
        (
            {"labels": "corse"},
            "data.labels=corse: should be 'fine' or 'coarse'; did you mean coarse",
        ),
        ({"on_bad_image": "ignore"}, "data.on_bad_image=ignore: should be 'error' or 'skip'"),
    ],
)
def test_open_checks_its_settings(settings: dict[str, object], message: str, tmp_path: Path):
    with pytest.raises(ConfigError, match=message):
        ImageDataset.open("folder", tmp_path, **settings)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES.astype(np.float32), LABELS, "images are float32"),
        (IMAGES[0], LABELS, r"of shape \(8, 8, 3\)"),
        (IMAGES.transpose(0, 3, 1, 2), LABELS, r"\(N, H, W, 1 or 3\) is expected"),
        (IMAGES, LABELS[:-1], r"20 images have labels of shape \(19,\)"),
    ],
)
def test_other_arrays_are_refused(images: np.ndarray, labels: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        ImageDataset(images, labels, CLASSES)
