"""Which folders are classes and which are parts of a data set."""

import os
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest

from src.data.image_data import ImageData
from tests.fixtures.datasets import (
    cifar10_python_files,
    encode,
    load_images,
    random_images,
    write_archive,
    write_files,
)

IMAGES = [encode(image) for image in random_images(64, size=8)]


def tree(*folders: str, images: int = 4) -> dict[str, bytes]:
    """Images in folders; no two are alike."""
    return {
        f"{folder}/{number}.png": IMAGES[(place * images + number) % len(IMAGES)]
        for place, folder in enumerate(folders)
        for number in range(images)
    }


def both(*parts: str, images: int = 4) -> list[str]:
    return [f"{part}/{name}" for part in parts for name in ("cat", "dog")]


def sizes(data: ImageData) -> tuple[int, int, int]:
    validation = 0 if data.validation is None else len(data.validation)
    return len(data.train), validation, len(data.test)


@pytest.mark.parametrize("kind", ["folder", ".zip"])
@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (both("train", "test"), (8, 0, 8)),
        (both("Training", "Testing"), (8, 0, 8)),
        (both("TRAIN", "TEST"), (8, 0, 8)),
        (both("train", "dev", "eval"), (8, 8, 8)),
        (both("train", "valid", "test"), (8, 8, 8)),
        (both("train", "val"), (6, 8, 2)),
        (both("train", "validation"), (6, 8, 2)),
        (both("pets_train", "pets_test"), (8, 0, 8)),
        (both("train-images", "evaluation_images"), (8, 0, 8)),
        (both("train1", "train2", "test"), (16, 0, 8)),
        (both("data/Train", "data/Test"), (8, 0, 8)),
        (both("seg_train/seg_train", "seg_test/seg_test"), (8, 0, 8)),
        (both("Final_Training/Images", "Final_Test/Images"), (8, 0, 8)),
        (["cat/train", "cat/test", "dog/train", "dog/test"], (8, 0, 8)),
        (["cat/train", "cat/val", "dog/train", "dog/val"], (6, 8, 2)),
        (["cat", "dog"], (6, 0, 2)),
        (["photos/cat", "photos/dog"], (6, 0, 2)),
        (["cat/images", "dog/images"], (6, 0, 2)),
        (both("in/a/wrapper/train", "in/a/wrapper/test"), (8, 0, 8)),
        (["w/v/cat", "w/v/dog"], (6, 0, 2)),
        (["cat/old", "cat/new", "dog/old"], (10, 0, 2)),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_parts_are_known_by_their_names(
    kind: str, folders: list[str], expected: tuple[int, int, int], tmp_path: Path
) -> None:
    files = tree(*folders)
    place = tmp_path / f"root{kind}"
    root = write_files(place, files) if kind == "folder" else write_archive(place, files)
    data = load_images("folder", root)
    assert data.classes == ("cat", "dog")
    assert sizes(data) == expected


@pytest.mark.parametrize(
    "classes",
    [("train", "car"), ("valid", "invalid"), ("test tube", "dev kit", "flask"), ("Training", "x")],
)
def test_a_folder_with_images_in_it_is_a_class_whatever_its_name(
    classes: tuple[str, ...], tmp_path: Path
) -> None:
    data = load_images("folder", write_files(tmp_path, tree(*classes)))
    assert data.classes == tuple(sorted(classes))


def test_any_classes_are_told_by_a_folder_called_train(tmp_path: Path) -> None:
    folders = [f"train/{name}/{side}" for name in ("train", "test") for side in ("left", "right")]
    assert load_images("folder", write_files(tmp_path, tree(*folders))).classes == ("test", "train")


@pytest.mark.parametrize("kind", ["folder", ".tar"])
@pytest.mark.parametrize(
    ("folders", "readings"),
    [
        (both("first", "second"), "first/, second/ hold folders of the same names (cat, dog)"),
        (both("train", "extra"), "train/ may be a part of the data or a class, and so may extra/"),
        (both("train", "test", "extra"), "and so may extra/"),
        (["train/steam", "train/diesel", "car/red"], "and so may car/"),
        (["steam train/a", "steam train/b", "car"], "steam train/ may be a part of the data or"),
        (["train", "test"], "most images of test/, train/ lie in no folder of a class"),
        (["trainset/cat", "trainset/dog", "trainset/emu", *both("testset")], "the same names"),
        ([*both("data/train", "data/test"), "docs"], "data/train/ may be a part of the data"),
        (["cat/train", "cat/test", "dog/train", "dog/test", "bird"], "cat/train/ may be a part"),
        (both("a/train", "b/train"), "a/train/ may be a part"),
        (["steam train/2020", "steam train/2021", "crash test/2022", "bus"], "so may bus/"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_told_is_refused_with_both_readings(
    kind: str, folders: list[str], readings: str, tmp_path: Path
) -> None:
    files = tree(*folders)
    place = tmp_path / f"root{kind}"
    root = write_files(place, files) if kind == "folder" else write_archive(place, files)
    with pytest.raises(ValueError, match=re.escape(readings)) as error:
        load_images("folder", root)
    message = str(error.value)
    assert re.search("if the(y|se) are parts", message.lower()) and "if they are classes" in message
    assert "\n" not in message


@pytest.mark.parametrize("kind", ["folder", ".tar", ".zip"])
@pytest.mark.parametrize(
    ("foreign", "note"),
    [
        (tree("unlabeled"), "not used: unlabeled/ (4 images)"),
        (tree("unsorted/2020", "unsorted/2021"), "not used: unsorted/ (8 images)"),
        ({"cover.png": IMAGES[0], "README.md": b""}, "in no class folder: cover.png; not read: 1"),
        ({"train/x.png": IMAGES[0]}, "in no class folder: train/x.png"),
        (tree("train/cat/@eaDir"), "folders of the system passed over: @eaDir"),
        (tree("$Recycle.Bin", "lost+found"), "passed over: $Recycle.Bin, lost+found"),
        (tree("eval_images"), "not used: eval_images/ (4 images)"),
        (tree("train/cat/.thumbnails", "__MACOSX"), "(train/ and test/)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_foreign_is_left_out_and_noted(
    kind: str, foreign: dict[str, bytes], note: str, tmp_path: Path
) -> None:
    files = tree(*both("train", "test")) | foreign
    place = tmp_path / f"root{kind}"
    root = write_files(place, files) if kind == "folder" else write_archive(place, files)
    data = load_images("folder", root)
    assert (data.classes, sizes(data)) == (("cat", "dog"), (8, 0, 8))
    assert note in data.description


@pytest.mark.parametrize("name", ["train/emu", "test/cat", "docs"])
def test_folders_without_images_are_noted(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_files(tmp_path / "root", tree("train/cat", "train/dog", "test/dog"))
    write_files(root / name, {"notes.txt": b""})
    archive = tmp_path / "root.tar"
    with tarfile.open(archive, "w") as file:
        file.add(root, "root")
    for place in (root, archive):
        caplog.clear()
        data = load_images("folder", place)
        assert (data.classes, sizes(data)) == (("cat", "dog"), (8, 0, 4))
        assert "without images:" in caplog.text and f"{name}/" in data.description


@pytest.mark.parametrize("kind", ["folder", ".tar", ".zip"])
def test_folders_of_other_files_are_noted(kind: str, tmp_path: Path) -> None:
    files = tree("cat", "dog") | {"docs/notes.txt": b""}
    place = tmp_path / f"root{kind}"
    root = write_files(place, files) if kind == "folder" else write_archive(place, files)
    assert "without images: docs/" in load_images("folder", root).description


def test_a_test_folder_without_labels_is_no_test_set(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_files(tmp_path, tree("train/cat", "train/dog", "test"))
    for _ in range(2):  # decoded, and from the cache
        caplog.clear()
        data = load_images("folder", root)
        assert sizes(data) == (6, 0, 2)
        assert data.test_held_out
        assert "not used: test/ (4 images)" in caplog.text


def test_an_empty_test_folder_is_no_test_set(tmp_path: Path) -> None:
    root = write_files(tmp_path, tree("train/cat", "train/dog"))
    (root / "test/cat").mkdir(parents=True)
    data = load_images("folder", root)
    assert sizes(data) == (6, 0, 2)
    assert "without images: test/" in data.description


@pytest.mark.parametrize("kind", ["folder", ".tar", ".zip"])
def test_patterns_leave_out_files_and_folders(kind: str, tmp_path: Path) -> None:
    files = tree(*both("train", "extra"), "train/dog/small") | {"train/cat/0_aug.png": IMAGES[0]}
    place = tmp_path / f"root{kind}"
    root = write_files(place, files) if kind == "folder" else write_archive(place, files)
    exclude = ["extra", "*_aug.png", "dog/small", "nothing"]
    data = load_images("folder", root, exclude=exclude)
    assert sizes(data) == (6, 0, 2)
    told = "excluded: extra (1), *_aug.png (1), dog/small (1), nothing (0)"
    assert told in data.description
    with pytest.raises(ValueError, match="so may extra/"):
        load_images("folder", root)


def test_training_classes_beside_a_test_folder_are_to_be_put_into_train(tmp_path: Path) -> None:
    root = write_files(tmp_path, tree("cat", "dog", *both("test")))
    with pytest.raises(ValueError, match="there is no train/; put the classes to train on into"):
        load_images("folder", root)


def test_what_is_left_out_is_told_as_it_is_at_this_start(tmp_path: Path) -> None:
    root = write_files(tmp_path, tree("cat", "dog"))
    assert load_images("folder", root).description.endswith("(class folders)")
    write_files(root, {"cat/a.heic": b"x"})
    assert load_images("folder", root).description.endswith("(class folders; not read: 1 .heic)")
    data = load_images("folder", root, exclude=["*.heic"])
    assert data.description.endswith("(class folders; excluded: *.heic (1))")


def test_a_link_to_itself_is_no_image(tmp_path: Path) -> None:
    root = write_files(tmp_path, tree("cat", "dog"))
    (root / "cat/self").symlink_to("self")
    assert sizes(load_images("folder", root)) == (6, 0, 2)


def test_classes_without_validation_images_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load_images("folder", write_files(tmp_path, tree(*both("train"), "val/dog")))
    assert "no validation images of cat" in caplog.text


def test_an_archive_without_images_says_what_it_holds(tmp_path: Path) -> None:
    place = write_archive(tmp_path / "x.tar", {"a/inner.zip": b"x", "b/notes.txt": b"x"})
    with pytest.raises(ValueError, match=r"holds no images; not read: 1 \.zip, 1 \.txt; expected"):
        load_images("folder", place)


def test_an_empty_pattern_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.exclude: an empty pattern"):
        load_images("folder", write_files(tmp_path, tree("cat", "dog")), exclude=[""])


def test_patterns_are_for_images_in_folders(tmp_path: Path) -> None:
    root = write_files(tmp_path, cifar10_python_files())
    with pytest.raises(ValueError, match=r"data\.exclude is for images in folders"):
        load_images("cifar10", root, exclude=["x"])


@pytest.mark.parametrize("shift", [4, 0])
def test_sixteen_bit_images_that_use_few_of_them_are_warned_of(
    shift: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = np.random.default_rng(0).integers(0, 65536, (8, 8, 8, 3)).astype(np.uint16)
    images[:, 0, 0] = 65535
    files = {f"{'ab'[n % 2]}/{n}.png": encode(image >> shift) for n, image in enumerate(images)}
    load_images("folder", write_files(tmp_path, files))
    assert ("is above 4095 of 65535" in caplog.text) == (shift > 0)


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    folders = [os.fsdecode(b"caf\xe9"), os.fsdecode(b"th\xe9")]
    for root in (
        write_files(tmp_path / "root", tree(*folders)),
        write_archive(tmp_path / "root.tar", tree(*folders)),
    ):
        for _ in range(2):  # decoded, and from the cache
            assert load_images("folder", root).classes == tuple(folders)


@pytest.mark.parametrize(
    ("stored", "name"), [("café".encode(), "café"), (b"caf\x82", "café"), (b"caf\xff", "caf\xa0")]
)
def test_names_in_zip_files_without_the_flag_of_utf8(
    stored: bytes, name: str, tmp_path: Path
) -> None:
    place = write_archive(tmp_path / "root.zip", tree("C" * len(stored), "tea"))
    place.write_bytes(place.read_bytes().replace(b"C" * len(stored), stored))
    assert load_images("folder", place).classes == (name, "tea")
