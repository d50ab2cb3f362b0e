"""Readers and the command line's composer at random input: sound data, or the project's errors.

``FUZZ_CASES`` is how many cases are tried altogether; what is tried by default is the same every
time. Each has 10 s of the processor and 300 MiB.
"""

import bz2
import gzip
import lzma
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from src.config.compose import parse, plan
from src.config.validate import check
from src.data.decode import decode, single_threaded_opencv
from src.data.image_data import ImageData
from src.data.readers import open_reader
from src.data.readers.archive import read_members
from src.data.readers.base import ReadOptions
from src.data.readers.pickles import load_pickle
from tests.fixtures.datasets import (
    cifar10_binary_files,
    cifar10_python_files,
    idx_files,
    write_files,
)
from tests.fixtures.fuzzing import OUTCOMES, fuzzed, taken_or_explained, taken_or_refused
from tests.fixtures.mutations import damaged
from tests.fixtures.seeds import archives, images, pickles
from tests.fixtures.words import SETTING, VALUE, WORD, leaves, standard

pytestmark = pytest.mark.reliability


@pytest.fixture(scope="module", autouse=True)
def outcomes() -> Iterator[None]:
    """Says how many cases of each target were taken and how many refused."""
    yield
    print("\n" + "\n".join(f"{name}: {count:,}" for name, count in sorted(OUTCOMES.items())))


def check_sound(data: ImageData | None) -> None:
    if data is not None:
        for part in (data.train, data.test):
            assert part.images.dtype == np.uint8 and part.images.shape[3] in (1, 3)
            assert len(part.images) == len(part.labels) == len(part.names)


# ---- pickles ----


@fuzzed(300)
@given(content=st.deferred(lambda: damaged(pickles())))
def test_pickles(content: bytes) -> None:
    loaded = taken_or_refused("pickle", "x/batch", lambda: load_pickle(content, "x/batch"))
    if loaded is not None:
        assert all(type(key) is str for key in loaded)
        for value in loaded.values():
            if isinstance(value, np.ndarray):
                assert value.dtype.kind in "iufb" and value.nbytes <= len(content)


# ---- data sets in files, one of which is damaged ----


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("roots")
    files = {
        "python": cifar10_python_files(rows=2),
        "binary": cifar10_binary_files(rows=2),
        "idx": idx_files(rows=10, compress=False),
        "gz": idx_files(rows=10),
    }
    return {name: write_files(place / name, content) for name, content in files.items()}


def read_with(root: Path, name: str, content: bytes, target: str) -> None:
    good = (root / name).read_bytes()
    (root / name).write_bytes(content)
    try:
        read = lambda: open_reader(root).read(ReadOptions())  # noqa: E731
        check_sound(taken_or_refused(target, str(root), read))
    finally:
        (root / name).write_bytes(good)


@fuzzed(100)
@given(
    content=st.deferred(lambda: damaged(pickles()[:2])),
    name=st.sampled_from(("data_batch_2", "test_batch", "batches.meta")),
)
def test_cifar_in_pickles(content: bytes, name: str, roots: dict[str, Path]) -> None:
    read_with(roots["python"], name, content, "cifar, python")


@fuzzed(70)
@given(
    content=st.deferred(lambda: damaged(list(cifar10_binary_files(rows=2).values())[-2:])),
    name=st.sampled_from(("data_batch_2.bin", "test_batch.bin", "batches.meta.txt")),
)
def test_cifar_in_bytes(content: bytes, name: str, roots: dict[str, Path]) -> None:
    read_with(roots["binary"], name, content, "cifar, binary")


IDX = list(idx_files(rows=10, compress=False))


@fuzzed(80)
@given(
    content=st.deferred(lambda: damaged(list(idx_files(rows=10, compress=False).values()))),
    name=st.sampled_from(IDX),
)
def test_idx(content: bytes, name: str, roots: dict[str, Path]) -> None:
    read_with(roots["idx"], name, content, "idx")


@fuzzed(70)
@given(
    content=st.one_of(
        st.deferred(lambda: damaged(list(idx_files(rows=10).values()))),
        st.deferred(lambda: damaged(list(idx_files(rows=10, compress=False).values()))).map(
            gzip.compress
        ),
    ),
    name=st.sampled_from(IDX),
)
def test_idx_in_gzip(content: bytes, name: str, roots: dict[str, Path]) -> None:
    read_with(roots["gz"], f"{name}.gz", content, "idx.gz")


# ---- archives ----

PACKERS = {"": bytes, "gzip": gzip.compress, "xz": lzma.compress, "bzip2": bz2.compress}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archives")


@fuzzed(100)
@given(
    content=st.deferred(lambda: damaged(archives())),
    pack=st.sampled_from(list(PACKERS)),
)
def test_archives(content: bytes, pack: str, folder: Path) -> None:
    path = folder / "x.archive"
    path.write_bytes(PACKERS[pack](content))
    read = lambda: list(read_members(path, lambda name: True))  # noqa: E731
    for name, _ in taken_or_refused("archive", "x.archive", read) or ():
        assert ".." not in name.split("/") and not name.startswith("/")


@fuzzed(40)
@given(content=st.deferred(lambda: damaged(archives())), skip=st.booleans())
def test_image_archives(content: bytes, skip: bool, folder: Path) -> None:
    path = folder / "y.archive"
    path.write_bytes(content)

    def read() -> ImageData:
        try:
            return open_reader(path).read(ReadOptions(skip_bad=skip))
        except ValueError as error:
            # An image is named by its place in the archive, a size by two of them.
            if any(word in str(error) for word in (".png", "y.archive")):
                raise ValueError(f"y.archive: {error}") from error
            raise

    check_sound(taken_or_refused("archive of images", "y.archive", read))


# ---- images ----


@fuzzed(150)
@given(
    content=st.deferred(lambda: damaged(images())),
    channels=st.sampled_from((None, 1, 3)),
    size=st.sampled_from((None, (8, 8))),
)
def test_images(content: bytes, channels: int | None, size: tuple[int, int] | None) -> None:
    with single_threaded_opencv():
        read = lambda: decode(content, "cat/x.img", channels=channels, size=size)  # noqa: E731
        image = taken_or_refused("image", "cat/x.img", read)
    if image is not None:
        assert image.dtype == np.uint8 and image.shape[2] in ((channels,) if channels else (1, 3))
        assert size is None or image.shape[:2] == size


# ---- the command line ----


@fuzzed(40)
@given(words=st.lists(WORD, min_size=1, max_size=4))
def test_words(words: list[str]) -> None:
    taken_or_explained("words", lambda: parse(words))


@fuzzed(4)
@given(words=st.lists(SETTING, min_size=1, max_size=2), multirun=st.booleans())
def test_plans(words: list[str], multirun: bool) -> None:
    taken_or_explained("plan", lambda: plan("train", words, multirun))


@fuzzed(46)
@given(data=st.data())
def test_settings(data: st.DataObject) -> None:
    changes = data.draw(
        st.lists(st.tuples(st.sampled_from(leaves()), VALUE), min_size=1, max_size=3)
    )
    config = OmegaConf.create(standard())

    def do() -> None:
        for key, value in changes:
            try:
                OmegaConf.update(config, key, value)
            except Exception:  # no value that YAML could hold
                return
        check(config)

    taken_or_explained("settings", do)
