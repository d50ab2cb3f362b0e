"""``python -m src.predict`` on a tiny run."""

import csv
import os
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from src.data.decode import decode
from src.inference.load_run import load_run
from src.inference.predictions import classify
from tests.fixtures.cli import TINY, Cli, Result
from tests.fixtures.datasets import CIFAR10_CLASSES, encode, random_images, write_files
from tests.fixtures.train import train

PIXELS = random_images(40, seed=5)  # the test images of the ``cifar`` fixture
ODD_NAMES = [
    "a[1].png",
    "my best photo.png",
    'it\'s "it".png',
    "Ünïcødé 東京.png",
    "$a_b$, x=1.png",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, cifar: str) -> Path:
    """A finished run, ``color``, and one on gray images, ``gray``."""
    place = tmp_path_factory.mktemp("runs")
    gray = ["data.channels=1", "data.mean=null", "data.std=null"]
    for name, more in (("color", []), ("gray", gray)):
        train(place / name, cifar, "model=resnet20", "data.batch_size=64", *TINY, *more)
    return place


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run to write into."""
    return Path(shutil.copytree(trained / "color", tmp_path / "run"))


def rows(place: Path) -> dict[str, dict[str, str]]:
    with (place / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def shares(row: dict[str, str]) -> list[float]:
    return [float(row[name]) for name in CIFAR10_CLASSES]


def says(run: Path, images: list[np.ndarray]) -> np.ndarray:
    """What the network says of pixels (32, 32, C)."""
    network = load_run(run).network
    return classify(network, np.stack(images), device=torch.device("cpu"))


def refused(done: Result) -> str:
    assert done.code == 2, done.out + done.err
    assert len(done.err.splitlines()) == 1, done.err
    return done.err


def test_a_png_gets_the_prediction_of_its_pixels(predict_cli: Cli, run: Path) -> None:
    images = write_files(Path("images"), {f"{i}.png": encode(PIXELS[i]) for i in range(40)})
    done = predict_cli(f"run={run}", f"input={images}", "precision=32-true")
    assert (done.code, done.err) == (0, "")
    found = rows(run / "predictions")
    assert list(found) == [f"images/{i}.png" for i in range(40)], "sorted by number"
    expected = says(run, list(PIXELS))
    for row, wanted in zip(found.values(), expected, strict=True):
        assert [row[name] for name in CIFAR10_CLASSES] == [f"{share:.6g}" for share in wanted]
        assert row["prediction"] == CIFAR10_CLASSES[wanted.argmax()]
        assert float(row["probability"]) == pytest.approx(wanted.max(), rel=1e-5)
    assert "│ 39.png" in done.out
    assert f"{expected[39].max():.1%}" in done.out
    assert cv2.imread(str(run / "predictions/predictions.png")).std() > 10


def test_every_format_depth_and_channel_count(predict_cli: Cli, run: Path) -> None:
    color = PIXELS[0]
    bgr = cv2.cvtColor(color, cv2.COLOR_RGB2BGR)
    deep = cv2.imencode(".png", bgr.astype(np.uint16) * 257)[1].tobytes()
    rgba = np.dstack([color, np.full((32, 32), 255, np.uint8)])
    half = rgba.copy()
    half[:16, :, 3] = 0
    whitened = color.copy()
    whitened[:16] = 255
    lossless = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    files = {
        "8.png": (encode(color), color),
        "16.png": (deep, color),
        "opaque.png": (encode(rgba), color),
        "transparent.png": (encode(half), whitened),
        "gray.png": (encode(color[..., 0]), color[..., :1].repeat(3, 2)),
        "x.bmp": (encode(color, ".bmp"), color),
        "x.tiff": (encode(color, ".tiff"), color),
        "x.WEBP": (lossless, color),
        "x.ppm": (encode(color, ".ppm"), color),
        "x.jpg": (jpeg := encode(color, ".jpg"), decode(jpeg, "x")),
        "large.png": (encode(color.repeat(5, 0).repeat(3, 1)), color),
    }
    write_files(Path("all"), {name: content for name, (content, _) in files.items()})
    done = predict_cli(f"run={run}", "input=all", "precision=32-true")
    assert (done.code, done.err) == (0, "")
    found = rows(run / "predictions")
    assert len(found) == len(files)
    expected = says(run, [pixels for _, pixels in files.values()])
    for name, wanted in zip(files, expected, strict=True):
        assert shares(found[f"all/{name}"]) == pytest.approx(wanted, abs=1e-5), name


def test_orientation_is_applied(predict_cli: Cli, run: Path) -> None:
    jpeg = encode(PIXELS[0].repeat(4, 0).repeat(4, 1), ".jpg")
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4)
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    write_files(Path(), {"turned.jpg": turned})
    assert predict_cli(f"run={run}", "input=turned.jpg", "precision=32-true").code == 0
    upright = decode(jpeg, "x", size=(32, 32), channels=3)
    (wanted,) = says(run, [np.rot90(upright, -1)])
    assert shares(rows(run / "predictions")["turned.jpg"]) == pytest.approx(wanted, abs=0.02)


def test_a_network_trained_on_gray_images_is_shown_gray_ones(
    predict_cli: Cli, trained: Path
) -> None:
    content = encode(PIXELS[0].repeat(2, 0))
    write_files(Path(), {"x.png": content})
    words = [f"ckpt={trained / 'gray/checkpoints/last.ckpt'}", "input=x.png", "output=deep/out"]
    assert predict_cli(*words, "precision=32-true").code == 0
    network = load_run(trained / "gray", "last").network
    pixels = decode(content, "x", size=(32, 32), channels=1)
    (wanted,) = classify(network, pixels[None], device=torch.device("cpu"))
    assert shares(rows(Path("deep/out"))["x.png"]) == pytest.approx(wanted, abs=1e-5)
    assert not (trained / "gray/predictions").exists()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_is_taken_whatever_its_name(predict_cli: Cli, run: Path, name: str) -> None:
    write_files(Path(), {f"b 1/{name}": encode(PIXELS[0]), "b 1/a1.png": b"the pattern's match"})
    done = predict_cli(f"run={run}", f"input=b 1/{name}")
    assert (done.code, done.err) == (0, "")
    assert list(rows(run / "predictions")) == [f"b 1/{name}"]
    assert name in done.out


def test_what_is_quoted_for_hydra_is_understood_too(predict_cli: Cli, run: Path) -> None:
    write_files(Path(), {"a [1].dat": encode(PIXELS[0])})
    assert predict_cli(f"run={run}", "input='a [1].dat'").code == 0
    assert list(rows(run / "predictions")) == ["a [1].dat"]


def test_unreadable_files_are_named_and_do_not_stop_the_others(predict_cli: Cli, run: Path) -> None:
    whole = encode(random_images(1, size=64)[0], ".jpg")
    damaged = bytearray(encode(PIXELS[0]))
    damaged[len(damaged) // 2] ^= 0x55
    files = {
        "1 good.png": encode(PIXELS[0]),
        "2 cut.jpg": whole[: len(whole) // 2],
        "3 damaged.png": bytes(damaged),
        "4 empty.png": b"",
        "5 text.jpg": b"hello",
        "8 good.png": encode(PIXELS[1]),
    }
    place = write_files(Path("some"), files)
    (place / "6 link.jpg").symlink_to("nowhere")
    os.mkfifo(place / "7 pipe.png")
    done = predict_cli(f"run={run}", "input=some", "batch_size=2")
    assert done.code == 1
    reasons = ["truncated", "damaged", "empty", "not an image", "link to nothing", "not a file"]
    # libpng has a word of its own to say, which cannot be turned off.
    lines = [line for line in done.err.splitlines() if not line.startswith("libpng")]
    names = ["2 cut.jpg", "3 damaged.png", "4 empty.png", "5 text.jpg", "6 link.jpg", "7 pipe.png"]
    assert len(lines) == len(names), done.err
    for line, name, reason in zip(lines, names, reasons, strict=True):
        assert line.startswith(f"unreadable: some/{name}") and reason in line
    assert list(rows(run / "predictions")) == ["some/1 good.png", "some/8 good.png"]
    assert "2 images classified" in done.out and "6 unreadable" in done.out


def test_nothing_readable_leaves_no_earlier_sheet(predict_cli: Cli, run: Path) -> None:
    write_files(Path(), {"good.png": encode(PIXELS[0]), "bad.png": b"bad"})
    assert predict_cli(f"run={run}", "input=good.png").code == 0
    assert predict_cli(f"run={run}", "input=bad.png").code == 1
    assert rows(run / "predictions") == {}
    assert not (run / "predictions/predictions.png").exists()


def test_names_cannot_disturb_the_terminal(predict_cli: Cli, run: Path) -> None:
    name = os.fsdecode(b"a\xff\x1b[31m\n.png")
    Path(name).write_bytes(encode(PIXELS[0]))
    done = predict_cli(f"run={run}", "input=*.png")
    assert (done.code, done.err) == (0, "")
    assert "\x1b[31m" not in done.out
    assert len(rows(run / "predictions")) == 1


def test_a_sheet_holds_64_images_and_says_so(predict_cli: Cli, run: Path) -> None:
    write_files(Path("many"), {f"{i}.png": encode(PIXELS[i % 40]) for i in range(66)})
    done = predict_cli(f"run={run}", "input=many", "output=many", "top=1")
    assert done.code == 0
    assert "the first 64 of 66 images" in done.out
    assert "│ 63.png" in done.out and "│ 64.png" not in done.out
    assert len(rows(Path("many"))) == 66
    again = predict_cli(f"run={run}", "input=many", "output=many", "top=20")
    assert again.code == 0
    assert len(rows(Path("many"))) == 66, "the sheet is no input"


def test_mistakes(predict_cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(Path(), {"x.png": encode(PIXELS[0]), "none/x.txt": b""})
    good = [f"run={run}", "input=x.png"]
    assert "no such file" in refused(predict_cli(f"run={run}", "input=nothing"))
    assert "no such file" in refused(predict_cli(f"run={run}", "input=*.jpg"))
    assert "no images in this folder" in refused(predict_cli(f"run={run}", "input=none"))
    assert "which images?" in refused(predict_cli(f"run={run}"))
    assert "which run?" in refused(predict_cli("input=x.png"))
    assert "no such run" in refused(predict_cli("run=nowhere", "input=x.png"))
    assert "data.root=x" in refused(predict_cli(*good, "data.root=x"))
    assert "did you mean input?" in refused(predict_cli(*good, "inptu=3"))
    assert "top=0" in refused(predict_cli(*good, "top=0"))
    assert "cannot be swept" in refused(predict_cli(*good, "-m"))
    assert "cannot be written" in refused(predict_cli(*good, "output=x.png"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    line = refused(predict_cli(*good, "accelerator=gpu"))
    assert line.startswith("error: accelerator=gpu: torch finds no GPU")
    assert line.rstrip().endswith("input=x.png accelerator=cpu")
    assert not (run / "predictions").exists()


def test_help_is_about_this_command(predict_cli: Cli) -> None:
    done = predict_cli("--help")
    assert done.code == 0
    assert "python -m src.predict run=RUN_DIR" in done.out


def test_files_of_a_folder_that_are_not_read_are_counted(
    predict_cli: Cli, run: Path, tmp_path: Path
) -> None:
    others = {"b.heic": b"x", "c.HEIC": b"x", "@eaDir/a.png": b"x"}
    write_files(tmp_path / "in", {"a.png": encode(PIXELS[0])} | others)
    done = predict_cli(f"run={run}", "input=in")
    assert (done.code, done.err) == (0, "not read: 2 .heic\n")
    assert list(rows(run / "predictions")) == ["in/a.png"]
