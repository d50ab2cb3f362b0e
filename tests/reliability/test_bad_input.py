"""Bad input is named, file and index, and never trained on; what is converted is as documented."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fixtures import bad_data
from tests.fixtures.cli import TINY, Cli, the_run
from tests.fixtures.conversions import CONVERTED
from tests.fixtures.datasets import (
    class_folder_files,
    encode,
    load_images,
    random_images,
    write_files,
)
from tests.fixtures.pictures import (
    BAD_IMAGES,
    NOISE,
    SIDE,
    cmyk_jpeg,
)
from tests.fixtures.refusals import bounded, check_refused

pytestmark = pytest.mark.reliability

WORDS = ["model=resnet20", "data.batch_size=4", "data.download=false", *TINY]
GOOD = class_folder_files(train=5, test=2, size=SIDE)
CASES = [
    (data, name)
    for data, cases in (
        ("cifar10", bad_data.CIFAR10),
        ("cifar100", bad_data.CIFAR100),
        ("fashion_mnist", bad_data.FASHION),
    )
    for name in cases
]


def folder(path: Path, files: dict[str, bytes]) -> Path:
    return write_files(path / "photos", files)


def test_there_are_as_many_as_promised() -> None:
    assert len(CASES) + len(BAD_IMAGES) + len(FOLDERS) + len(SETTINGS) >= 50


@pytest.mark.parametrize(("data", "name"), CASES)
def test_data_sets(data: str, name: str, cli: Cli, tmp_path: Path) -> None:
    make, named = getattr(bad_data, data.removesuffix("_mnist").upper())[name]
    root = write_files(tmp_path / "files", make())
    with bounded():
        done = cli(f"data={data}", f"data.root={root}", *WORDS)
    check_refused(done, *named)
    assert str(root) in done.err or "data.num_classes" in done.err


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_image_files(name: str, cli: Cli, tmp_path: Path) -> None:
    content, reason = BAD_IMAGES[name]
    root = folder(tmp_path, GOOD | {f"train/cat/{name}": content})
    with bounded():
        done = cli("data=folder", f"data.root={root}", *WORDS)
    check_refused(done, f"train/cat/{name}", reason, "data.on_bad_image=skip")


def odd_files(root: Path) -> list[str]:
    """Files that are none; their names."""
    (root / "train/cat/dangling.png").symlink_to("nowhere.png")
    (root / "train/cat/zero.png").symlink_to("/dev/zero")
    os.mkfifo(root / "train/cat/pipe.jpg")
    return ["dangling.png", "zero.png", "pipe.jpg"]


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        ("dangling.png", "is a link to nothing: nowhere.png"),
        ("zero.png", "is not a file"),
        ("pipe.jpg", "is not a file"),
    ],
)
def test_what_is_no_file(kept: str, reason: str, cli: Cli, tmp_path: Path) -> None:
    root = folder(tmp_path, GOOD)
    for name in odd_files(root):
        if name != kept:
            (root / "train/cat" / name).unlink()
    with bounded():
        check_refused(
            cli("data=folder", f"data.root={root}", *WORDS),
            f"train/cat/{kept} {reason}",
            "data.on_bad_image=skip",
        )


def test_all_of_them_are_left_out_on_request(cli: Cli, tmp_path: Path) -> None:
    bad = {f"train/cat/{name}": content for name, (content, _) in BAD_IMAGES.items()}
    root = folder(tmp_path, GOOD | bad)
    count = len(bad) + len(odd_files(root))
    with bounded():
        done = cli("data=folder", f"data.root={root}", "data.on_bad_image=skip", *WORDS)
    assert done.code == 0, done.err
    assert f"{count} unreadable images skipped: train/cat/animated.png" in done.out
    data = load_images("folder", root, on_bad_image="skip")
    assert len(data.train) == 10


FOLDERS: dict[str, tuple[dict[str, bytes], tuple[str, ...]]] = {
    "parts or classes": (
        {
            f"{top}/{name.removeprefix('train/')}": GOOD[name]
            for top in "ab"
            for name in GOOD
            if "train" in name
        },
        ("a/, b/ hold folders of the same names (cat, dog)",),
    ),
    "a class of the test alone": (
        GOOD | {"test/emu/0.png": encode(NOISE)},
        ("class emu (label 2) has no training image",),
    ),
    "a single class": (
        {name: content for name, content in GOOD.items() if "cat" in name},
        ("a single class, cat",),
    ),
    "parts without classes": (
        {f"{top}/{number}.png": encode(NOISE) for top in ("Train", "Test") for number in range(2)},
        ("most images of Test/, Train/ lie in no folder of a class",),
    ),
    "another size": (
        GOOD | {"train/dog/odd.png": encode(random_images(1, size=9)[0])},
        ("train/dog/odd.png is 9x9", "data.image_size"),
    ),
    "no images": ({"train/cat/notes.txt": b""}, ("holds nothing known",)),
    "a class of bad images": (GOOD | {"train/emu/0.png": b"?"}, ("train/emu/0.png cannot be",)),
    "a bad image of an odd name": (
        GOOD | {"train/cat/a\nb\x1b[31m.png": b"?"},
        (r"train/cat/a\nb\x1b[31m.png cannot be",),
    ),
    "a bad image of undecodable name": (
        GOOD | {"train/cat/" + os.fsdecode(b"\xff\xfe.png"): b"?"},
        (r"train/cat/\udcff\udcfe.png cannot be",),
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders(name: str, cli: Cli, tmp_path: Path) -> None:
    files, named = FOLDERS[name]
    root = folder(tmp_path, files)
    check_refused(cli("data=folder", f"data.root={root}", *WORDS), *named)


SETTINGS: dict[str, tuple[list[str], str]] = {
    "mean not a number": (["data.mean=[nan,0.5,0.5]"], "data.mean"),
    "std not a number": (["data.std=[0.5,nan,0.5]"], "data.std"),
    "std infinite": (["data.std=[0.5,inf,0.5]"], "data.std"),
    "std zero": (["data.std=[0.5,0,0.5]"], "data.std"),
    "mean of 0 to 255": (["data.mean=[125,122,113]"], "data.mean"),
    "two means": (["data.mean=[0.5,0.5]", "data.std=[0.5,0.5]"], "2 values for images of 3"),
    "gray images, means for RGB": (["data.channels=1"], "3 values for images of 1"),
    "lists in a list": (["data.mean=[[1]]"], "data.mean=[1]: should be a valid number"),
    "a list for a group": (["model=[[[]]]"], "model=[[[]]]: one of the options"),
    "numbers for a group": (["model=[0.5,0.5]"], "model=[0.5,0.5]: one of the options"),
    "numbers for a launcher": (["hydra/launcher=[0.5]"], "error: "),
    "a list for a name": (["optimizer.name=[]"], "optimizer.name=[]: not an option"),
    "an unknown resolver": (["seed=${nothing:1}"], "seed: Unsupported interpolation type nothing"),
    "a setting that is itself": (["seed=${seed}"], "seed: Recursive interpolation"),
    "11 classes": (["data.num_classes=11"], "data.num_classes=11"),
    "a batch larger than the set": (["data.batch_size=1000"], "data.batch_size=1000"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_do_not_fit_the_images(name: str, cli: Cli, cifar: str) -> None:
    words, reason = SETTINGS[name]
    check_refused(cli(cifar, *WORDS, *words), reason)


# ---- what is converted ----


@pytest.mark.parametrize("name", CONVERTED)
def test_conversions_are_those_documented(name: str, tmp_path: Path) -> None:
    file, content, expected = CONVERTED[name]
    data = load_images("folder", folder(tmp_path, GOOD | {f"train/cat/{file}": content}))
    found = data.train.images[list(data.train.names).index(f"train/cat/{file}")]
    lossy = 3 if "CMYK" in name else 0
    assert np.abs(found.astype(int) - expected).max() <= lossy


@pytest.mark.parametrize("transform", [None, 0, 2])
def test_inks_are_mixed_as_pillow_does(transform: int | None, tmp_path: Path) -> None:
    content = cmyk_jpeg(transform)
    data = load_images("folder", folder(tmp_path, GOOD | {"train/cat/x.jpg": content}))
    found = data.train.images[list(data.train.names).index("train/cat/x.jpg")]
    theirs = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert np.abs(found.astype(int) - theirs).max() <= 3


def test_all_that_is_converted_is_trained_on(cli: Cli, tmp_path: Path) -> None:
    converted = {
        f"train/{'cat' if number % 2 else 'dog'}/{number}{name}": content
        for number, (name, content, _) in enumerate(CONVERTED.values())
    }
    root = folder(tmp_path, GOOD | converted | {"train/bird's [nest]\n é/1.png": encode(NOISE)})
    write_files(root, {f"train/bird's [nest]\n é/{n}.png": encode(NOISE) for n in (2, 3)})
    done = cli("data=folder", f"data.root={root}", *WORDS)
    assert done.code == 0, done.err
    assert "Logging error" not in done.err and "Traceback" not in done.err
    assert the_run(tmp_path).metrics.exists()


# ---- the same image twice ----

TWICE = GOOD | {"test/dog/again.png": GOOD["train/cat/0000.png"]}
TOLD = "1 of the 5 test images are training images too"


def test_images_in_both_sets_are_told_at_every_start(cli: Cli, tmp_path: Path) -> None:
    root = folder(tmp_path, TWICE)
    for _ in range(2):
        done = cli("data=folder", f"data.root={root}", *WORDS, f"hydra.run.dir=run{_}")
        assert done.code == 0, done.err
        line = next(line for line in done.out.splitlines() if TOLD in line)
        assert "test/dog/again.png (train/cat/0000.png)" in line


def test_they_are_looked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = folder(tmp_path, TWICE)
    load_images("folder", root)
    caplog.clear()
    monkeypatch.setattr("src.data.load.duplicate_warnings", None)
    assert any(TOLD in line for line in load_images("folder", root).warnings)
    assert [record.levelname for record in caplog.records if TOLD in record.message] == ["WARNING"]


def test_pixels_count_not_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    image = random_images(1, size=SIDE)[0]
    files = {"train/cat/a.png": encode(image), "test/dog/b.bmp": encode(image, ".bmp")}
    load_images("folder", folder(tmp_path, GOOD | files))
    assert TOLD in caplog.text


def test_none_are_told_where_there_are_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_images("folder", folder(tmp_path, GOOD)).warnings == ()
    assert "test images are training images" not in caplog.text
