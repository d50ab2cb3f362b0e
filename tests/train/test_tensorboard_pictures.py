"""The pictures TensorBoard shows: the first batch, and what the test set was taken for."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.fixtures.cli import Cli
from tests.fixtures.datasets import encode, write_files
from tests.fixtures.events import SMALL, read, trained


@pytest.mark.parametrize("words", [[], ["data.mean=null", "data.std=null"]])
def test_the_first_batch_is_shown_in_its_colors_and_by_its_names(
    cli: Cli, tmp_path: Path, words: list[str]
) -> None:
    colors = {"tomato": (220, 60, 20), "sky": (30, 120, 240)}
    plain = {name: np.full((8, 8, 3), color, np.uint8) for name, color in colors.items()}
    files = {f"{name}/{i}.png": encode(plain[name]) for name in colors for i in range(24)}
    root = f"data.root={write_files(tmp_path / 'images', files)}"
    words = ["data=folder", root, "augment=none", *SMALL, "data.batch_size=20", *words]
    (event,) = read(trained(cli, tmp_path / "run", *words)).Images("first_batch")
    assert event.step == 0
    picture = cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    # Three rows, the last of them half filled; tiles of 96 pixels, the name, a seam of 4.
    down = (picture.shape[0] - 4) // 3
    tiles = [picture[4 + down * (i // 8) :, 4 + 100 * (i % 8) :][:down, :96] for i in range(20)]
    strips: dict[tuple[int, ...], list[np.ndarray]] = {}
    for tile in tiles:
        assert len(np.unique(tile[:96].reshape(-1, 3), axis=0)) == 1
        strips.setdefault(tuple(tile[50, 48].tolist()), []).append(tile[96:].min(axis=2))
    assert strips.keys() == set(colors.values())
    ink = {name: np.stack(strips[color]) < 128 for name, color in colors.items()}
    for name in colors:
        assert (ink[name] == ink[name][0]).all(), "a class has one name"
        assert ink[name].any()
    assert ink["tomato"].sum() / len(ink["tomato"]) > ink["sky"].sum() / len(ink["sky"])
    assert not (picture[4 + 2 * down :, 404:] < 255).any(), "nothing after the last image"


@pytest.mark.parametrize("batch", [64, 100])
def test_a_run_ends_with_the_pictures_of_its_evaluation(
    cli: Cli, evaluate_cli: Cli, cifar: str, tmp_path: Path, batch: int
) -> None:
    run = trained(cli, tmp_path / "run", cifar, *SMALL, f"data.batch_size={batch}")
    done = evaluate_cli(f"run={run.path}", f"batch_size={batch}")
    assert done.code == 0, done.err
    events = read(run)
    for tag, name in (("test/confusion", "confusion"), ("test/worst_mistakes", "worst")):
        (event,) = events.Images(tag)
        drawn = cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
        written = cv2.imread(str(run.path / "evaluation" / f"{name}.png"), cv2.IMREAD_COLOR)
        assert np.array_equal(drawn, written), name


def test_a_run_that_is_not_tested_has_no_pictures_of_it(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    run = trained(cli, tmp_path / "run", cifar, *SMALL, "test_checkpoint=none")
    assert read(run).Tags()["images"] == ["first_batch"]
