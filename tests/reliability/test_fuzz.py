"""Readers and the command line's composer at random input: sound data, or the project's errors.

``FUZZ_CASES`` is how many cases are tried altogether; what is tried by default is the same every
time. Each has 10 s, and all of a target 700 MiB.
"""

import bz2
import gzip
import lzma
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from src.config import ConfigError, check
from src.config.compose import parse, plan
from src.data.decode import decode, opencv_alone
from src.data.sources import ReadOptions, open_source
from src.data.sources.archive import read_members
from src.data.sources.unpickle import load_pickle
from src.data.types import ImageData
from tests.fixtures.datasets import (
    cifar10_binary_files,
    cifar10_python_files,
    class_folder_files,
    encode,
    idx_files,
    random_images,
    write_archive,
    write_files,
)
from tests.fixtures.hostile_pickles import PICKLES
from tests.fixtures.mutations import damaged
from tests.fixtures.pictures import BAD_IMAGES, FRAMES, cmyk_jpeg, pillow
from tests.fixtures.refusals import bounded

pytestmark = pytest.mark.reliability

BY_DEFAULT = 5000
CASES = int(os.environ.get("FUZZ_CASES", BY_DEFAULT))
SECONDS = 10
OUTCOMES: Counter[str] = Counter()

Test = Callable[..., None]


def fuzzed(permille: float) -> Callable[[Test], Test]:
    """Settings for a share of all cases."""
    return settings(
        max_examples=max(5, int(CASES * permille / 1000)),
        derandomize=CASES == BY_DEFAULT,
        deadline=None,  # of the clock, which runs on while other processes work
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


@pytest.fixture(scope="module", autouse=True)
def outcomes() -> Iterator[None]:
    """Says how many cases of each target were taken and how many refused."""
    yield
    print("\n" + "\n".join(f"{name}: {count:,}" for name, count in sorted(OUTCOMES.items())))


@pytest.fixture(scope="module", autouse=True)
def in_memory() -> Iterator[None]:
    with bounded(seconds=36_000, megabytes=700):
        yield


@contextmanager
def prompt() -> Iterator[None]:
    """Fail when what is done inside takes more of the processor's time than any case should."""
    began = time.process_time()
    try:
        yield
    finally:
        assert time.process_time() - began < SECONDS


def taken_or_refused(target: str, name: str, read: Callable[[], Any]) -> Any:
    """What is read, or None for a ValueError that names the file in a line."""
    problem: ValueError | None = None
    result = None
    try:
        with prompt():
            result = read()
    except ValueError as error:
        problem = error
    OUTCOMES[f"{target}, {'taken' if problem is None else 'refused'}"] += 1
    if problem is not None:
        # Not one of its subclasses, which come from deep inside and say nothing of the file.
        own = type(problem) is ValueError or type(problem).__module__.startswith("src.")
        assert own and name in str(problem) and len(str(problem)) < 2000, repr(problem)
    return result


def check_sound(data: ImageData | None) -> None:
    if data is not None:
        for part in (data.train, data.test):
            assert part.images.dtype == np.uint8 and part.images.shape[3] in (1, 3)
            assert len(part.images) == len(part.labels) == len(part.names)


# ---- pickles ----


@cache
def pickles() -> list[bytes]:
    files = cifar10_python_files(rows=2)
    short = [content for content, _ in PICKLES.values() if len(content) < 10_000]
    return [files["data_batch_1"], files["batches.meta"], *short]


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
        read = lambda: open_source(root).read(ReadOptions())  # noqa: E731
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


@cache
def archives() -> list[bytes]:
    import tempfile

    files = class_folder_files(train=2, test=1)
    long = {f"{'a' * 120}/{'b' * 90}.png": b"1", "é/x.png": b"2"}
    with tempfile.TemporaryDirectory() as place:
        paths = [
            write_archive(Path(place) / f"{number}{ending}", content)
            for ending in (".tar", ".zip", ".tar.gz", ".tar.xz", ".tar.bz2")
            for number, content in enumerate((files, long))
        ]
        return [path.read_bytes() for path in paths]


@fuzzed(100)
@given(
    content=st.deferred(lambda: damaged(archives())),
    pack=st.sampled_from(list(PACKERS)),
)
def test_archives(content: bytes, pack: str, folder: Path) -> None:
    path = folder / "x.archive"
    path.write_bytes(PACKERS[pack](content))
    read = lambda: list(read_members(path, lambda name: True))  # noqa: E731
    for member in taken_or_refused("archive", "x.archive", read) or ():
        assert ".." not in member.name.split("/") and not member.name.startswith("/")


@fuzzed(40)
@given(content=st.deferred(lambda: damaged(archives())), skip=st.booleans())
def test_image_archives(content: bytes, skip: bool, folder: Path) -> None:
    path = folder / "y.archive"
    path.write_bytes(content)

    def read() -> ImageData:
        try:
            return open_source(path).read(ReadOptions(skip_bad=skip))
        except ValueError as error:
            # An image is named by its place in the archive, a size by two of them.
            if any(word in str(error) for word in (".png", "y.archive")):
                raise ValueError(f"y.archive: {error}") from error
            raise

    check_sound(taken_or_refused("archive of images", "y.archive", read))


# ---- images ----


@cache
def images() -> list[bytes]:
    noise = random_images(1, size=8)[0]
    alpha = np.dstack([noise, noise[..., :1]])
    endings = (".png", ".jpg", ".bmp", ".webp", ".tif", ".ppm", ".pgm")
    plain = [encode(noise if e != ".pgm" else noise[..., 0], e) for e in endings]
    pages = [pillow(FRAMES[0], kind) for kind in ("GIF", "TIFF", "AVIF")]
    bad = [content for content, _ in BAD_IMAGES.values() if len(content) < 5000]
    return [*plain, encode(alpha), encode(alpha, ".tif"), cmyk_jpeg(), *pages, *bad]


@fuzzed(150)
@given(
    content=st.deferred(lambda: damaged(images())),
    channels=st.sampled_from((None, 1, 3)),
    size=st.sampled_from((None, (8, 8))),
)
def test_images(content: bytes, channels: int | None, size: tuple[int, int] | None) -> None:
    with opencv_alone():
        read = lambda: decode(content, "cat/x.img", channels=channels, size=size)  # noqa: E731
        image = taken_or_refused("image", "cat/x.img", read)
    if image is not None:
        assert image.dtype == np.uint8 and image.shape[2] in ((channels,) if channels else (1, 3))
        assert size is None or image.shape[:2] == size


# ---- the command line ----

KEYS = [
    *("model", "model.name", "model.shortcut", "data", "data.root", "data.batch_size", "data.mean"),
    *("data.val_fraction", "optimizer", "optimizer.lr", "scheduler", "scheduler.milestones"),
    *("trainer", "trainer.max_epochs", "trainer.precision", "trainer.devices", "seed", "sweep"),
    *("augment.crop_padding", "callbacks.ema", "experiment", "search", "objective", "resume"),
    *("hydra.run.dir", "hydra.sweep.dir", "hydra/launcher", "nothing", "trainer.nothing"),
]
VALUES = [
    *("", "null", "true", "-1", "0", "1e400", "nan", ".inf", "[]", "{}", "[1,2", "a,b", "1,2"),
    *("resnet18", "cifar10", "sgd", "cosine", "[0.5,0.5,0.5]", "{a: 1}", "'a'", '"', "\\", "é"),
    *("${seed}", "${", "${oc.env:NOWHERE}", "${nothing:1}", "${data}", "???", "range(1,3)"),
    *("choice(1,2)", "interval(0,1)", "glob(*)", "shuffle(1,2)", "sort(2,1)", "tag(a,1)"),
    *("9" * 400, "../x", "@", "a@b", "=", "~", "+x", "#", "%", "[[[[]]]]", "{a:{b:{c:1}}}"),
]
_WORD = st.one_of(
    st.builds(
        lambda sign, key, equals, value: f"{sign}{key}{equals}{value}",
        st.sampled_from(("", "+", "++", "~")),
        st.one_of(st.sampled_from(KEYS), st.text(max_size=8)),
        st.sampled_from(("=", "=", "=", "==", "")),
        st.one_of(st.sampled_from(VALUES), st.text(max_size=12), st.integers().map(str)),
    ),
    st.text(max_size=20),
)


def taken_or_explained(target: str, do: Callable[[], Any]) -> None:
    problem = None
    try:
        with prompt():
            do()
    except ConfigError as error:
        problem = str(error)
    OUTCOMES[f"{target}, {'taken' if problem is None else 'refused'}"] += 1
    assert problem is None or problem.strip()


@fuzzed(40)
@given(words=st.lists(_WORD, min_size=1, max_size=4))
def test_words(words: list[str]) -> None:
    taken_or_explained("words", lambda: parse(words))


_SETTING = st.builds(
    lambda sign, key, value: f"{sign}{key}={value}",
    st.sampled_from(("", "", "", "+", "++")),
    st.sampled_from(KEYS),
    st.one_of(st.sampled_from(VALUES), st.integers().map(str), st.floats().map(str)),
)


@fuzzed(4)
@given(words=st.lists(_SETTING, min_size=1, max_size=2), multirun=st.booleans())
def test_plans(words: list[str], multirun: bool) -> None:
    taken_or_explained("plan", lambda: plan("train", words, multirun))


@cache
def standard() -> Any:
    from hydra import initialize_config_dir

    from src.config.check import CONF
    from src.config.compose import composed

    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return OmegaConf.to_container(composed("train", []))


@cache
def leaves() -> list[str]:
    from src.config.identity import flatten

    return sorted(flatten(standard()))


_VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(VALUES),
    st.text(max_size=8),
    st.lists(st.one_of(st.integers(), st.floats(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@fuzzed(46)
@given(data=st.data())
def test_settings(data: st.DataObject) -> None:
    changes = data.draw(
        st.lists(st.tuples(st.sampled_from(leaves()), _VALUE), min_size=1, max_size=3)
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
