"""The one entry: what it finds, downloads, converts, checks and keeps."""

import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from src.data import load
from src.data.decode import resize
from src.data.readers.shapes import Shapes
from src.data.registry import CIFAR10_CLASSES, FASHION_MNIST_CLASSES
from src.errors import ConfigError
from tests.fixtures.datasets import (
    cifar10_python_files,
    cifar100_python_files,
    class_folder_files,
    encode,
    idx_files,
    load_images,
    python2_pickle,
    random_images,
    to_rows,
    write_archive,
    write_files,
)


@pytest.fixture
def cifar10(tmp_path: Path) -> Path:
    return write_files(tmp_path / "cifar10", cifar10_python_files())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "folder", class_folder_files())


# ---- what is there ----


def test_a_name_and_a_path(cifar10: Path):
    data = load_images("cifar10", cifar10, num_classes=10, channels=3)
    assert data.train.images.shape == (50, 32, 32, 3)
    assert data.classes == CIFAR10_CLASSES


def test_the_format_is_recognized_whatever_the_name(folder: Path, tmp_path: Path):
    assert load_images("cifar10", folder, num_classes=None).classes == ("cat", "dog")
    archive = write_archive(tmp_path / "x.tar.xz", class_folder_files())
    assert load_images("cifar100", archive, num_classes=None).classes == ("cat", "dog")


def test_fashion_mnist_by_name(tmp_path: Path):
    root = write_files(tmp_path / "f", idx_files())
    data = load_images("fashion_mnist", root)
    assert data.classes == FASHION_MNIST_CLASSES
    assert data.train.images.shape == (20, 28, 28, 1)


def test_coarse_labels(tmp_path: Path):
    root = write_files(tmp_path / "c", cifar100_python_files())
    assert len(load_images("cifar100", root, labels="coarse").classes) == 20
    assert len(load_images("cifar100", root, labels="fine").classes) == 100


def test_shapes_need_nothing(own_cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(load, "Shapes", partial(Shapes, train_size=30, test_size=20))
    data = load_images("shapes")
    assert (len(data.train), len(data.test)) == (30, 20)
    assert load_images("shapes", split_seed=1).train.images[0].tolist() != (
        data.train.images[0].tolist()
    )
    assert list((own_cache / "cifar-images").iterdir())


# ---- size and colors ----


@pytest.mark.parametrize("name", ["cifar10", "folder"])
def test_image_size(name: str, request: pytest.FixtureRequest):
    root = request.getfixturevalue(name)
    native, resized = load_images("folder", root), load_images("folder", root, image_size=12)
    assert resized.test.images.shape == (len(native.test), 12, 12, 3)
    assert np.array_equal(resized.test.images[1], resize(native.test.images[1], (12, 12)))


@pytest.mark.parametrize("name", ["cifar10", "folder"])
def test_color_to_gray(name: str, request: pytest.FixtureRequest):
    root = request.getfixturevalue(name)
    assert load_images("folder", root, channels=1).train.images.shape[3] == 1
    assert load_images("folder", root, channels=None).train.images.shape[3] == 3


def test_gray_stays_gray_unless_asked(tmp_path: Path):
    root = write_files(tmp_path / "f", idx_files())
    assert load_images("fashion_mnist", root).train.images.shape[3] == 1
    color = load_images("fashion_mnist", root, channels=3, image_size=32).train.images
    assert color.shape == (20, 32, 32, 3)
    assert (color[..., 0] == color[..., 2]).all()


# ---- the cache ----


def test_kept_beside_an_archive_and_within_a_folder(folder: Path, tmp_path: Path):
    archive = write_archive(tmp_path / "x.zip", class_folder_files())
    assert load_images("folder", archive).train.images.filename.is_relative_to(
        tmp_path / "x.zip.cache"
    )
    assert load_images("folder", folder).train.images.filename.is_relative_to(folder / ".cache")
    again = load_images("folder", folder)
    assert np.array_equal(again.train.images, load_images("folder", archive).train.images)


def test_kept_where_the_user_says(folder: Path, tmp_path: Path):
    data = load_images("folder", folder, cache_dir=tmp_path / "chosen")
    assert data.train.images.filename.is_relative_to(tmp_path / "chosen")
    assert not (folder / ".cache").exists()


def test_second_start_decodes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch):
    first = load_images("folder", folder)
    monkeypatch.setattr("src.data.readers.image_folder.decode_files", None)
    assert np.array_equal(load_images("folder", folder).train.images, first.train.images)
    with pytest.raises(TypeError):
        load_images("folder", folder, image_size=4)


def test_the_seed_of_a_held_out_test_set_counts(tmp_path: Path):
    root = write_files(tmp_path / "flat", class_folder_files(train=20, test=0))
    names = [load_images("folder", root, split_seed=seed).test.names for seed in (0, 1, 0)]
    assert names[0] == names[2] != names[1]


def test_changed_files_are_read_again(folder: Path):
    assert len(load_images("folder", folder).train) == 8
    write_files(folder, {"train/cat/new.png": encode(random_images(1, size=8)[0])})
    assert len(load_images("folder", folder).train) == 9


def test_a_changed_archive_is_read_again(tmp_path: Path):
    archive = write_archive(tmp_path / "x.tar", class_folder_files())
    assert len(load_images("folder", archive).train) == 8
    write_archive(archive, class_folder_files(train=5))
    assert len(load_images("folder", archive).train) == 10


# ---- what does not fit ----


def refused(message: str, *arguments: object, **options: object) -> None:
    with pytest.raises(ValueError, match=message) as error:
        load_images(*arguments, **options)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_class_count(folder: Path):
    refused(
        r"data\.num_classes=10, but there are 2 classes in .*cat, dog",
        "cifar10",
        folder,
        num_classes=10,
    )


def test_two_classes_of_one_name(cifar10: Path):
    names = ["cat", *CIFAR10_CLASSES[:8], "cat"]
    names[4] = "lynx"
    meta = python2_pickle({b"label_names": [name.encode() for name in names]})
    (cifar10 / "batches.meta").write_bytes(meta)
    refused("2 classes in .* are called cat", "cifar10", cifar10)


def test_labels_out_of_range(cifar10: Path, monkeypatch: pytest.MonkeyPatch):
    real = load.open_reader

    class Shifted:
        def __init__(self, source):
            self.source = source

        def __getattr__(self, name: str):
            return getattr(self.source, name)

        def read(self, options):
            data = self.source.read(options)
            labels = data.test.labels.copy()
            labels[4] = self.label
            return replace(data, test=replace(data.test, labels=labels))

    for label in (-100, -1, 10):
        Shifted.label = label
        monkeypatch.setattr(load, "open_reader", lambda *a, **o: Shifted(real(*a, **o)))
        message = rf"test_batch\[4\] .*has label {label}; labels are 0 to 9"
        refused(message, "cifar10", cifar10, cache_dir=cifar10 / str(label))


def test_a_single_class_in_training(tmp_path: Path):
    one = python2_pickle({b"data": to_rows(random_images(3)), b"labels": [4] * 3})
    files = {name: one for name in cifar10_python_files() if name != "batches.meta"}
    refused(
        "of a single class, [a-z]+; at least two", "cifar10", write_files(tmp_path / "c", files)
    )


def test_differing_sizes_name_the_option(folder: Path):
    write_files(folder, {"train/cat/odd.png": encode(random_images(1, size=9)[0])})
    refused(r"odd\.png is 9x9.*data\.image_size", "folder", folder)
    assert load_images("folder", folder, image_size=8).train.images.shape[1:3] == (8, 8)


def test_bad_images(folder: Path, caplog):
    write_files(folder, {"train/cat/bad.png": b"?"})
    refused(r"train/cat/bad\.png cannot be decoded.*data\.on_bad_image=skip", "folder", folder)
    data = load_images("folder", folder, on_bad_image="skip")
    assert len(data.train) == 8
    assert "1 unreadable image skipped: train/cat/bad.png" in caplog.text
    assert "bad.png" in load_images("folder", folder, on_bad_image="skip").description


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(ConfigError, match=r"data=cifar_10: no such option; did you mean cifar10\?"):
        load_images("cifar_10")


def test_reading_images_does_not_import_torch():
    modules = "src.data, src.data.load, src.data.readers, src.data.split, src.data.cache"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_class_without_a_training_image(tmp_path: Path):
    root = write_files(tmp_path / "nine", cifar10_python_files(rows=9))
    refused(r"nine: class truck \(label 9\) has no training image", "cifar10", root)
