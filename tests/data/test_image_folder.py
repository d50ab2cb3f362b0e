"""Images in class folders: layouts, archives, what is wrong with them."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from src.data.decode import decode
from src.data.image_data import ImageData
from src.data.readers import open_reader
from src.data.readers.base import ReadOptions
from src.data.readers.image_folder import IMAGE_SUFFIXES
from tests.fixtures.datasets import (
    class_folder_files,
    encode,
    load_images,
    random_images,
    write_archive,
    write_files,
)

SUFFIXES = [suffix for suffix in IMAGE_SUFFIXES if suffix not in (".pgm", ".pbm")]
KINDS = ["folder", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".zip"]
PIXEL = encode(random_images(1, size=8)[0])


def store(path: Path, kind: str, files: dict[str, bytes], wrapper: str = "") -> Path:
    if kind == "folder":
        return write_files(path / "root", {wrapper + name: c for name, c in files.items()})
    return write_archive(path / f"root{kind}", files, wrapper=wrapper)


def read(root: Path, **options: object) -> ImageData:
    return open_reader(root).read(ReadOptions(**options))  # type: ignore[arg-type]


def same(one: ImageData, other: ImageData) -> bool:
    return one.classes == other.classes and all(
        np.array_equal(a.images, b.images) and np.array_equal(a.labels, b.labels)
        for a, b in ((one.train, other.train), (one.test, other.test))
    )


@pytest.mark.parametrize("wrapper", ["", "my set/", "./", "./wrapped/"])
@pytest.mark.parametrize("kind", KINDS)
def test_train_and_test_folders(kind: str, wrapper: str, tmp_path: Path):
    files = class_folder_files(("dog", "cat", "ant"), train=3, test=2)
    data = read(store(tmp_path, kind, files, wrapper))
    assert data.classes == ("ant", "cat", "dog")
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert data.test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.train.names[3].endswith("train/cat/0000.png")
    assert np.array_equal(data.train.images[3], decode(files["train/cat/0000.png"], ""))
    assert np.array_equal(data.test.images[5], decode(files["test/dog/0001.png"], ""))
    assert "train/ and test/" in data.description


@pytest.mark.parametrize("kind", ["folder", ".tar.xz", ".zip"])
def test_flat_class_folders_hold_out_a_tenth_of_every_class(kind: str, tmp_path: Path):
    data = read(store(tmp_path, kind, class_folder_files(train=20, test=0)))
    assert np.bincount(data.train.labels).tolist() == [18, 18]
    assert np.bincount(data.test.labels).tolist() == [2, 2]
    assert not set(data.train.names) & set(data.test.names)
    assert data.test_held_out


def test_container_and_order_change_nothing(tmp_path: Path):
    files = class_folder_files(train=20, test=0)
    shuffled = dict(sorted(files.items(), key=lambda item: item[0][::-1]))
    first = read(store(tmp_path, "folder", files))
    assert same(first, read(store(tmp_path, ".tar.xz", shuffled)))
    assert same(first, read(store(tmp_path, ".zip", shuffled, "wrapper/")))
    assert not same(first, read(tmp_path / "root", seed=1))


def test_train_without_test_holds_out_a_tenth(tmp_path: Path):
    files = {f"train/{n}": c for n, c in class_folder_files(train=10, test=0).items()}
    data = read(write_files(tmp_path, files))
    assert (len(data.train), len(data.test)) == (18, 2)


@pytest.mark.parametrize("kind", ["folder", ".tar.gz", ".zip"])
def test_other_and_hidden_files_are_passed_over(kind: str, tmp_path: Path):
    files = class_folder_files()
    clutter = {
        "README.md": b"",
        ".DS_Store": b"",
        "train/cat/notes.txt": b"",
        "train/cat/._0000.png": b"not an image",
        "__MACOSX/train/cat/0000.png": b"not an image",
        ".cache/cat/x.png": b"not an image",
    }
    assert len(read(store(tmp_path, kind, files | clutter)).train) == 8


def test_every_extension_in_either_case(tmp_path: Path):
    image = random_images(1, size=32)[0]
    contents = {suffix: encode(image, {".jfif": ".jpg"}.get(suffix, suffix)) for suffix in SUFFIXES}
    files = {f"a/{n}{suffix}": content for n, (suffix, content) in enumerate(contents.items())}
    files |= {f"b/{n}{s.upper()}": content for n, (s, content) in enumerate(contents.items())}
    data = read(write_files(tmp_path, files))
    assert len(data.train) + len(data.test) == 2 * len(SUFFIXES)


def test_folders_within_a_class_belong_to_it(tmp_path: Path):
    files = class_folder_files() | {"train/cat/more/x.png": PIXEL}
    assert np.bincount(read(write_files(tmp_path, files)).train.labels).tolist() == [5, 4]


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path: Path):
    write_files(tmp_path / "elsewhere", {f"{n}.png": PIXEL for n in range(3)})
    root = write_files(tmp_path / "root", {f"cat/{n}.png": PIXEL for n in range(3)})
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    (root / "cat" / "again").symlink_to(root)
    data = read(root)
    assert data.classes == ("cat", "dog")
    assert len(data.train) + len(data.test) == 6


@pytest.mark.parametrize("kind", ["folder", ".tar"])
@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"train/a/1.png": PIXEL, "test/a/2.png": PIXEL}, "are of a single class, a; at least two"),
        ({"a/1.png": PIXEL, "a/2.png": PIXEL}, "are of a single class, a"),
        (
            class_folder_files() | {"test/emu/1.png": PIXEL},
            r"class emu \(label 2\) has no training image.*those that have: cat, dog",
        ),
        ({"test/a/1.png": PIXEL, "test/b/1.png": PIXEL}, "there are no training images"),
        ({"1.png": PIXEL, "2.png": PIXEL}, "holds no images in folders of classes; expected"),
        (
            {"a/1.png": PIXEL, "b/1.png": PIXEL, "b/2.png": PIXEL},
            r"class a has 1 training image\(s\): at least 2 are",
        ),
        ({"README": b"", "a/x.txt": b""}, r"expected.*train/<class>/<image>.*\.png, \.jpg"),
        (class_folder_files() | {"train/cat/x.png": b"?"}, r"train/cat/x\.png cannot be decoded"),
    ],
)
def test_errors_name_the_folder_and_what_is_expected(
    kind: str, files: dict[str, bytes], message: str, tmp_path: Path
):
    root = store(tmp_path, kind, files)
    with pytest.raises(ValueError, match=message) as error:
        load_images("folder", root)
    assert "\n" not in str(error.value)


def test_a_member_that_appears_twice(tmp_path: Path):
    import tarfile

    path = write_archive(tmp_path / "x.tar", class_folder_files())
    with tarfile.open(path, "a") as archive:
        archive.addfile(tarfile.TarInfo("train/cat/0000.png"))
    with pytest.raises(ValueError, match=r"train/cat/0000\.png twice"):
        read(path)


def test_unreadable_images_are_skipped_on_request(tmp_path: Path, caplog):
    files = class_folder_files() | {"train/cat/bad1.png": b"?", "test/dog/bad2.png": b""}
    for _ in range(2):  # decoded, and from the cache
        caplog.clear()
        data = load_images("folder", write_files(tmp_path, files), on_bad_image="skip")
        assert (len(data.train), len(data.test)) == (8, 4)
        told = "2 unreadable images skipped: test/dog/bad2.png, train/cat/bad1.png"
        assert told in data.description
        assert told in caplog.text


def test_a_class_of_unreadable_images_is_an_error(tmp_path: Path):
    files = class_folder_files() | {"train/emu/1.png": b"?"}
    with pytest.raises(
        ValueError, match=r"emu/1\.png\): class emu \(label 2\) has no training image"
    ):
        load_images("folder", write_files(tmp_path, files), on_bad_image="skip")


def test_fingerprint_follows_the_listing(tmp_path: Path):
    root = write_files(tmp_path, class_folder_files())
    seen = {open_reader(root).fingerprint()}
    (root / "README").touch()
    assert open_reader(root).fingerprint() in seen
    write_files(root, {"train/cat/new.png": PIXEL})
    seen.add(open_reader(root).fingerprint())
    (root / "train/cat/new.png").rename(root / "train/dog/new.png")
    seen.add(open_reader(root).fingerprint())
    (root / "train/dog/new.png").write_bytes(PIXEL + b"\0")
    seen.add(open_reader(root).fingerprint())
    assert len(seen) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_folders_without_end_are_refused(kind: str, tmp_path: Path):
    files = class_folder_files() | {f"cat/{'in/' * 70}x.png": PIXEL}
    with pytest.raises(ValueError, match=r"root.*: over 64 folders within each other"):
        read(store(tmp_path, kind, files))


def test_a_name_of_thousands_of_folders_in_an_archive(tmp_path: Path):
    root = store(tmp_path, ".tar", class_folder_files() | {f"{'in/' * 5000}x.png": PIXEL})
    with pytest.raises(ValueError, match="over 64 folders within each other") as error:
        read(root)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("kind", ["folder", ".tar", ".zip"])
def test_what_opencv_reads_is_read_and_the_rest_is_counted_by_suffix(kind: str, tmp_path: Path):
    files = {f"{name}/{number}.jfif": PIXEL for name in ("a", "b") for number in range(10)}
    files |= {f"a/{number}.heic": b"x" for number in range(2)} | {"b/notes.txt": b"x"}
    data = load_images("folder", store(tmp_path, kind, files))
    assert len(data.train) + len(data.test) == 20
    assert "not read: 2 .heic, 1 .txt" in data.description


def test_heic_under_another_name_is_called_so(tmp_path: Path):
    files = class_folder_files(train=2, test=1)
    files["train/cat/0000.png"] = b"\0\0\0\x18ftypheic" + bytes(64)
    with pytest.raises(ValueError, match="is HEIC, which OpenCV cannot read"):
        read(store(tmp_path, "folder", files))


def test_the_same_image_in_two_classes_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    files = class_folder_files(train=4, test=1)
    first, *_ = (name for name in files if name.startswith("train/cat/"))
    files["train/dog/twin.png"] = files[first]
    root = store(tmp_path, "folder", files)
    for _ in range(2):  # decoded, and from the cache
        caplog.clear()
        load_images("folder", root)
        assert "2 images lie in two or more classes" in caplog.text


def test_backslashes_of_a_zip_separate_folders(tmp_path: Path):
    files = class_folder_files(train=2, test=1)
    path = tmp_path / "windows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("/", "\\"), content)
    assert same(read(path), read(store(tmp_path, "folder", files)))
