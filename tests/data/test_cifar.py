"""CIFAR in its python and binary versions: content, recognition, refusals."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from src.data.image_data import ImageData
from src.data.readers import open_reader
from src.data.readers.base import ReadOptions
from src.data.readers.pickles import load_pickle
from src.data.registry import CIFAR10_CLASSES, CIFAR100_CLASSES, CIFAR100_COARSE_CLASSES
from tests.fixtures.datasets import (
    cifar10_binary_files,
    cifar10_python_files,
    cifar100_binary_files,
    cifar100_python_files,
    class_folder_files,
    python2_pickle,
    random_images,
    to_rows,
    write_archive,
    write_files,
)


def read(root: Path, **options: object) -> ImageData:
    return open_reader(root, **options).read(ReadOptions())  # type: ignore[arg-type]


def batch(**changes: object) -> bytes:
    content = {b"data": to_rows(random_images(10)), b"labels": list(range(10))}
    content |= {key.encode(): value for key, value in changes.items()}
    return python2_pickle({k: v for k, v in content.items() if v is not None})


@pytest.mark.parametrize("make", [cifar10_python_files, cifar10_binary_files])
def test_cifar10(make, tmp_path: Path):
    data = read(write_files(tmp_path, make(rows=12)))
    assert data.train.images.shape == (60, 32, 32, 3)
    assert data.test.images.shape == (12, 32, 32, 3)
    assert np.array_equal(data.train.images[12:24], random_images(12, seed=1))
    assert np.array_equal(data.test.images, random_images(12, seed=5))
    assert data.train.labels.tolist() == [row % 10 for row in range(12)] * 5
    assert data.classes == CIFAR10_CLASSES
    assert data.train.names[12 + 3].startswith("data_batch_2")
    assert data.train.names[12 + 3].endswith("[3]")
    assert "CIFAR-10" in data.source
    assert str(tmp_path) in data.source


@pytest.mark.parametrize("make", [cifar100_python_files, cifar100_binary_files])
@pytest.mark.parametrize(("fine", "count"), [(True, 100), (False, 20)])
def test_cifar100(make, fine: bool, count: int, tmp_path: Path):
    data = read(write_files(tmp_path, make()), fine_labels=fine)
    assert np.array_equal(data.train.images, random_images(100))
    assert data.train.labels.tolist() == [row if fine else row // 5 for row in range(100)]
    assert len(data.classes) == count


def test_cifar100_names_come_from_the_files_or_else_are_the_known_ones(tmp_path: Path):
    files = cifar100_python_files()
    assert read(write_files(tmp_path / "a", files)).classes[3] == "fine03"
    assert read(tmp_path / "a", fine_labels=False).classes[3] == "coarse03"
    del files["meta"]
    assert read(write_files(tmp_path / "b", files)).classes == CIFAR100_CLASSES
    assert read(tmp_path / "b", fine_labels=False).classes == CIFAR100_COARSE_CLASSES
    assert len(set(CIFAR100_CLASSES)) == 100
    assert len(set(CIFAR100_COARSE_CLASSES)) == 20
    named = cifar100_binary_files() | {
        "fine_label_names.txt": b"\n".join(b"n%d" % n for n in range(100))
    }
    assert read(write_files(tmp_path / "c", named)).classes[7] == "n7"


@pytest.mark.parametrize(
    ("make", "folder"),
    [
        (cifar10_python_files, "cifar-10-batches-py"),
        (cifar100_python_files, "cifar-100-python"),
        (cifar10_binary_files, "cifar-10-batches-bin"),
        (cifar100_binary_files, "cifar-100-binary"),
    ],
)
def test_folder_parent_folder_and_archive_are_alike(make, folder: str, tmp_path: Path):
    files = make()
    write_files(tmp_path / "data" / folder, files)
    archive = write_archive(tmp_path / "x.tar.gz", files, wrapper=f"{folder}/")
    sets = [read(tmp_path / "data" / folder), read(tmp_path / "data"), read(archive)]
    for data in sets[1:]:
        assert np.array_equal(data.train.images, sets[0].train.images)
        assert np.array_equal(data.test.labels, sets[0].test.labels)
        assert data.classes == sets[0].classes


def test_official_archive_in_a_folder_is_found(tmp_path: Path):
    write_archive(tmp_path / "cifar-10-python.tar.gz", cifar10_python_files(), wrapper="c/")
    write_archive(tmp_path / "cifar-100-python.tar.gz", cifar100_python_files(), wrapper="c/")
    assert len(read(tmp_path, dataset="cifar100").classes) == 100
    assert len(read(tmp_path, dataset="cifar10").classes) == 10


@pytest.mark.parametrize("make", [cifar10_python_files, cifar10_binary_files])
def test_a_missing_batch_is_named(make, tmp_path: Path):
    files = make()
    name = next(name for name in files if "batch_3" in name)
    del files[name]
    with pytest.raises(ValueError, match=rf"lacks {name}; it is made of"):
        read(write_files(tmp_path, files))


def test_binary_file_of_odd_size(tmp_path: Path):
    files = cifar10_binary_files()
    files["data_batch_4.bin"] = files["data_batch_4.bin"][:-5]
    with pytest.raises(ValueError, match=r"data_batch_4\.bin has 30725 bytes.*rows of 3073"):
        read(write_files(tmp_path, files))


EVIL = {
    "os.system": b"\x80\x02cos\nsystem\nU\x02id\x85R.",
    "builtins.eval": b"\x80\x02cbuiltins\neval\nU\x011\x85R.",
    "numpy.load": b"\x80\x02cnumpy\nload\nU\x01x\x85R.",
    "numpy.core.multiarray.fromfile": b"\x80\x02cnumpy.core.multiarray\nfromfile\nU\x01x\x85R.",
    "numpy.ndarray.tofile": b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
    "_codecs.encode": pickle.dumps({"data": b"\xff"}, protocol=2),
}


@pytest.mark.parametrize("name", EVIL)
def test_other_globals_are_refused(name: str, tmp_path: Path):
    files = cifar10_python_files() | {"data_batch_2": EVIL[name]}
    with pytest.raises(ValueError, match=rf"data_batch_2 asks for {name}: .*refused"):
        read(write_files(tmp_path, files))


def test_three_globals_load_and_even_their_newer_names_do_not():
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(load_pickle(python2_pickle({b"data": array}), "x")["data"], array)
    with pytest.raises(ValueError, match=r"x asks for numpy\._core\.multiarray\._reconstruct"):
        load_pickle(pickle.dumps({"data": array}, protocol=4), "x")


@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5])
def test_plain_values_of_every_protocol(protocol: int):
    names = ["airplane", "café", "x" * 300]
    content = {"label_names": names, "num_vis": 3072, "more": (1, -1, 70000, 1 << 40, 0.5, None)}
    assert load_pickle(pickle.dumps(content, protocol), "x") == content


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", "<i8", ">i4", "f4"])
def test_arrays_of_python_3_and_the_numpy_of_old(dtype: str, order: str):
    array = np.arange(24).reshape(4, 6).astype(dtype, order=order)
    content = pickle.dumps({"data": array, "again": array}, 3)
    loaded = load_pickle(content.replace(b"numpy._core.", b"numpy.core."), "x")
    assert np.array_equal(loaded["data"], array) and loaded["data"].dtype == array.dtype
    assert loaded["again"] is loaded["data"]


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x02", b"garbage", batch()[:-40], b"\x80\x02K\x01."]
)
def test_damaged_pickles_are_named(content: bytes, tmp_path: Path):
    files = cifar10_python_files() | {"data_batch_1": content}
    with pytest.raises(ValueError, match=r"data_batch_1 (is no readable pickle|holds a int)"):
        read(write_files(tmp_path, files))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": None}, r"has no data; it has \['labels'\]"),
        ({"labels": None}, "has no labels"),
        ({"data": np.zeros((10, 3071), np.uint8)}, r"uint8 of shape \(10, 3071\)"),
        ({"data": np.zeros((10, 3072), np.int16)}, r"int16 of shape \(10, 3072\)"),
        ({"data": np.zeros(3072, np.uint8)}, r"uint8 of shape \(3072,\)"),
        ({"data": b"text"}, "data is a bytes"),
        ({"labels": [0] * 9}, r"int64 of shape \(9,\); an integer for each of the 10"),
        ({"labels": [b"cat"] * 10}, "an integer for each"),
        ({"labels": np.zeros(10, np.float32)}, "float32"),
    ],
)
def test_batches_of_other_content(changes: dict[str, object], message: str, tmp_path: Path):
    files = cifar10_python_files() | {"data_batch_5": batch(**changes)}
    with pytest.raises(ValueError, match=rf"data_batch_5.*{message}"):
        read(write_files(tmp_path, files))


def test_integer_arrays_are_labels_too(tmp_path: Path):
    content = batch(labels=np.arange(10, dtype=np.uint8))
    data = read(write_files(tmp_path, cifar10_python_files() | {"test_batch": content}))
    assert data.test.labels.tolist() == list(range(10))


def test_fingerprint_follows_the_files(tmp_path: Path):
    write_files(tmp_path, cifar10_python_files())
    before = open_reader(tmp_path).fingerprint()
    assert open_reader(tmp_path).fingerprint() == before
    (tmp_path / "readme.html").write_bytes(b"")
    assert open_reader(tmp_path).fingerprint() == before
    (tmp_path / "data_batch_1").write_bytes(b"changed")
    assert open_reader(tmp_path).fingerprint() != before


@pytest.mark.parametrize("make", [cifar100_python_files, cifar100_binary_files])
def test_fingerprint_tells_fine_from_coarse(make, tmp_path: Path):
    write_files(tmp_path, make())
    prints = {open_reader(tmp_path, fine_labels=fine).fingerprint() for fine in (True, False)}
    assert len(prints) == 2


def test_a_stray_meta_file_does_not_make_a_folder_cifar(tmp_path: Path):
    root = write_files(tmp_path, class_folder_files() | {"meta": b"", "batches.meta": b""})
    assert read(root).classes == ("cat", "dog")


def test_meta_may_come_first_in_an_archive(tmp_path: Path):
    files = dict(sorted(cifar100_python_files().items()))
    assert next(iter(files)) == "meta"
    assert len(read(write_archive(tmp_path / "x.tar.gz", files)).classes) == 100
