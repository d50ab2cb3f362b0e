"""Decoding many files: order, mixtures, damage, files read in the background."""

from pathlib import Path

import numpy as np
import pytest

from src.data import decode
from src.data.decode import decode_files
from src.data.image_data import ReadOptions
from tests.fixtures.datasets import encode, random_images, write_files

IMAGES = random_images(700, size=8)  # more than two batches


@pytest.mark.parametrize("batch", [256, 3])  # the latter makes more than may be waiting
def test_order_is_kept_over_batches(batch: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decode, "_BATCH_FILES", batch)
    files = ((f"{n}.png", encode(image)) for n, image in enumerate(IMAGES))
    decoded = decode_files(files, ReadOptions())
    assert np.array_equal(decoded.images, IMAGES)
    assert decoded.names == [f"{n}.png" for n in range(700)]
    assert decoded.skipped == []


def test_files_are_read_by_path(tmp_path: Path):
    write_files(tmp_path, {"a.png": encode(IMAGES[0])})
    decoded = decode_files([("a", tmp_path / "a.png")], ReadOptions())
    assert np.array_equal(decoded.images, IMAGES[:1])


def test_gray_among_colors_becomes_color():
    files = [("a", encode(IMAGES[0][..., 0])), ("b", encode(IMAGES[1]))]
    decoded = decode_files(files, ReadOptions())
    assert decoded.images.shape == (2, 8, 8, 3)
    assert (decoded.images[0] == IMAGES[0][..., :1]).all()
    assert np.array_equal(decoded.images[1], IMAGES[1])


def test_all_gray_stays_gray():
    assert decode_files([("a", encode(IMAGES[0][..., 0]))], ReadOptions()).images.shape == (
        1,
        8,
        8,
        1,
    )


@pytest.mark.parametrize("other", [1, 500])  # in the same batch, and in another
def test_sizes_must_agree(other: int):
    files = [(f"{n}.png", encode(image)) for n, image in enumerate(IMAGES)]
    files[other] = ("odd.png", encode(random_images(1, size=9)[0][:, :7]))
    message = r"0\.png is 8x8, odd\.png is 7x9 .*set data\.image_size"
    with pytest.raises(ValueError, match=message):
        decode_files(files, ReadOptions())
    assert decode_files(files, ReadOptions(size=(4, 4))).images.shape == (700, 4, 4, 3)


def test_the_first_bad_file_is_named():
    files = [(f"{n}.png", encode(image)) for n, image in enumerate(IMAGES)]
    files[300] = ("bad-300", b"?")
    files[650] = ("bad-650", b"?")
    with pytest.raises(ValueError, match="bad-300 cannot be decoded"):
        decode_files(files, ReadOptions())


def test_bad_files_are_left_out_on_request():
    files = [(f"{n}.png", encode(image)) for n, image in enumerate(IMAGES[:5])]
    files[1] = ("bad", b"?")
    decoded = decode_files(files, ReadOptions(skip_bad=True))
    assert decoded.skipped == ["bad"]
    assert decoded.names == ["0.png", "2.png", "3.png", "4.png"]
    assert np.array_equal(decoded.images, IMAGES[[0, 2, 3, 4]])


def test_nothing_to_decode():
    assert len(decode_files([], ReadOptions()).images) == 0
    assert decode_files([("bad", b"?")], ReadOptions(skip_bad=True)).skipped == ["bad"]


def test_an_error_of_the_reader_comes_through():
    def files():
        yield "a", encode(IMAGES[0])
        raise ValueError("the archive is damaged")

    with pytest.raises(ValueError, match="the archive is damaged"):
        decode_files(files(), ReadOptions())
