"""MNIST and Fashion-MNIST files: content, classes, damage."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from src.data.readers import idx, open_reader
from src.data.readers.base import ReadOptions
from src.data.registry import FASHION_MNIST_CLASSES, MNIST_CLASSES
from tests.fixtures.datasets import idx_bytes, idx_files, random_images, write_files


def read(root: Path, dataset: str | None = None):
    return open_reader(root, dataset=dataset).read(ReadOptions())


@pytest.mark.parametrize("compress", [True, False])
def test_content(compress: bool, tmp_path: Path):
    data = read(write_files(tmp_path, idx_files(compress=compress)))
    assert np.array_equal(data.train.images, random_images(20, size=28, channels=1))
    assert np.array_equal(data.test.images, random_images(20, size=28, channels=1, seed=1))
    assert data.train.labels.tolist() == [row % 10 for row in range(20)]
    assert data.classes == MNIST_CLASSES
    assert data.test.names[5].startswith("t10k-images")
    assert data.test.names[5].endswith("[5]")


def test_names_with_a_dot(tmp_path: Path):
    files = {n.replace("-idx", ".idx"): c for n, c in idx_files(compress=False).items()}
    assert len(read(write_files(tmp_path, files)).train) == 20


def test_folder_of_torchvision(tmp_path: Path):
    write_files(tmp_path / "FashionMNIST" / "raw", idx_files())
    assert read(tmp_path, "fashion_mnist").classes == FASHION_MNIST_CLASSES


def test_fashion_by_name_and_by_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = write_files(tmp_path, idx_files())
    assert read(root, "fashion_mnist").classes == FASHION_MNIST_CLASSES
    assert "Fashion-MNIST" in read(root, "fashion_mnist").source
    labels = gzip.decompress((root / "t10k-labels-idx1-ubyte.gz").read_bytes())
    monkeypatch.setattr(idx, "_FASHION", {hashlib.sha256(labels).hexdigest()})
    assert read(root).classes == FASHION_MNIST_CLASSES


def test_missing_file_is_named(tmp_path: Path):
    root = write_files(tmp_path, idx_files())
    (root / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(ValueError, match="lacks t10k-labels-idx1-ubyte"):
        read(root)


IMAGES = idx_bytes(random_images(20, size=28, channels=1)[..., 0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (IMAGES[:-1], "declares 20 x 28 x 28 values but holds 15679"),
        (IMAGES + b"1", "declares 20 x 28 x 28"),
        (IMAGES[:10], "may be truncated"),
        (b"", "begins with ;"),
        (b"<html>", "begins with 3c68746d; idx of 3 dimensions begins with 00000803"),
        (idx_bytes(np.zeros(20, np.uint8)), "begins with 00000801"),
        (idx_bytes(np.zeros((19, 28, 28), np.uint8)), "holds 19 images, .* 20 labels"),
        (idx_bytes(np.zeros((20, 27, 28), np.uint8)), "one size is expected"),
    ],
)
def test_damaged_content(content: bytes, message: str, tmp_path: Path):
    files = idx_files(compress=False) | {"train-images-idx3-ubyte": content}
    with pytest.raises(ValueError, match=message):
        read(write_files(tmp_path, files))


@pytest.mark.parametrize(
    "change", [lambda b: b[:-9], lambda b: b[:20] + b"?" + b[21:], lambda b: b"x"]
)
def test_damaged_gzip_is_named(change, tmp_path: Path):
    files = idx_files()
    name = "train-labels-idx1-ubyte.gz"
    files[name] = change(files[name])
    with pytest.raises(ValueError, match=rf"{name} cannot be unpacked"):
        read(write_files(tmp_path, files))
