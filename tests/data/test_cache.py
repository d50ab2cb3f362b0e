"""The cache of decoded images: kept, found, checked, rebuilt; where it goes."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from src.data.cache import cache_places, cached
from src.data.image_data import ImageData, ImageSet
from tests.fixtures.datasets import random_images

IDENTITY = {"location": "here", "size": None}


def make(seed: int = 0, count: int = 40) -> ImageData:
    def part(offset: int, count: int) -> ImageSet:
        images = random_images(count, seed=seed + offset)
        return ImageSet(images, np.arange(count) % 10, [f"é/{n}.png" for n in range(count)])

    return ImageData(part(0, count), part(1, 10), tuple("abcdefghij"), "made up")


class Builder:
    """Counts how often it builds."""

    def __init__(self, seed: int = 0, count: int = 40):
        self.calls, self.seed, self.count = 0, seed, count

    def __call__(self) -> ImageData:
        self.calls += 1
        return make(self.seed, self.count)


def same(one: ImageData, other: ImageData) -> bool:
    return (one.classes, one.source) == (other.classes, other.source) and all(
        np.array_equal(a.images, b.images)
        and np.array_equal(a.labels, b.labels)
        and list(a.names) == list(b.names)
        for a, b in ((one.train, other.train), (one.test, other.test))
    )


def entry_of(place: Path) -> Path:
    (entry,) = place.iterdir()
    return entry


def test_second_time_is_from_the_file(tmp_path: Path):
    build = Builder()
    first = cached(IDENTITY, [tmp_path], build)
    second = cached(IDENTITY, [tmp_path], build)
    assert build.calls == 1
    assert same(first, make())
    assert same(second, make())
    assert isinstance(second.train.images, np.memmap)
    assert not second.train.images.flags.writeable


def test_identity_decides(tmp_path: Path):
    build = Builder()
    for identity in (IDENTITY, {**IDENTITY, "size": (8, 8)}, {**IDENTITY, "location": "there"}):
        cached(identity, [tmp_path], build)
    assert build.calls == 3
    cached({"size": None, "location": "here"}, [tmp_path], build)
    assert build.calls == 3


def test_empty_set(tmp_path: Path):
    build = Builder(count=0)
    assert same(cached(IDENTITY, [tmp_path], build), make(count=0))
    assert same(cached(IDENTITY, [tmp_path], build), make(count=0))
    assert build.calls == 1


ARRAYS = [f"{p}_{k}.npy" for p in ("train", "test") for k in ("images", "labels", "names")]


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("damage", ["cut", "longer", "first", "last", "middle", "gone", "empty"])
def test_damaged_arrays_are_built_anew(name: str, damage: str, tmp_path: Path, caplog):
    build = Builder()
    cached(IDENTITY, [tmp_path], build)
    path = entry_of(tmp_path) / name
    content = bytearray(path.read_bytes())
    at = {"first": 0, "last": -1, "middle": len(content) // 2}
    if damage in at:
        content[at[damage]] ^= 1
    new = {"cut": content[:-1], "longer": content + b"1", "empty": b""}.get(damage, content)
    path.write_bytes(new)
    if damage == "gone":
        path.unlink()
    assert same(cached(IDENTITY, [tmp_path], build), make())
    assert build.calls == 2
    assert "damaged and made anew" in caplog.text
    cached(IDENTITY, [tmp_path], build)
    assert build.calls == 2


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"arrays": {}}', '{"arrays": 3}', "null"]
)
def test_damaged_manifest_is_built_anew(content: str, tmp_path: Path):
    build = Builder()
    cached(IDENTITY, [tmp_path], build)
    (entry_of(tmp_path) / "manifest.json").write_text(content)
    assert same(cached(IDENTITY, [tmp_path], build), make())
    assert build.calls == 2


def test_without_a_manifest_there_is_no_entry(tmp_path: Path):
    build = Builder()
    cached(IDENTITY, [tmp_path], build)
    (entry_of(tmp_path) / "manifest.json").unlink()
    cached(IDENTITY, [tmp_path], build)
    assert build.calls == 2


def test_a_large_file_is_sampled_from_end_to_end(tmp_path: Path):
    build = Builder(count=2000)  # 6 MB, six times what is sampled
    cached(IDENTITY, [tmp_path], build)
    path = entry_of(tmp_path) / "train_images.npy"
    with path.open("r+b") as file:  # a hole where nothing was written
        file.seek(3_000_000)
        file.write(bytes(200_000))
    assert same(cached(IDENTITY, [tmp_path], build), make(count=2000))
    assert build.calls == 2


def test_a_builder_that_fails_leaves_nothing(tmp_path: Path):
    def fail() -> ImageData:
        raise ValueError("no such data")

    with pytest.raises(ValueError, match="no such data"):
        cached(IDENTITY, [tmp_path], fail)
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_fails_leaves_no_temporary_file(tmp_path: Path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert same(cached(IDENTITY, [tmp_path], Builder()), make())
    assert list(entry_of(tmp_path).iterdir()) == []


def test_builders_at_the_same_time_do_no_harm(tmp_path: Path):
    builders = [Builder() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda build: cached(IDENTITY, [tmp_path], build), builders))
    assert all(same(result, make()) for result in results)
    assert sorted(path.name for path in entry_of(tmp_path).iterdir()) == sorted(
        [*ARRAYS, "manifest.json"]
    )
    build = Builder()
    cached(IDENTITY, [tmp_path], build)
    assert build.calls == 0


def test_the_next_place_is_taken_where_one_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    places = [tmp_path / "file" / "below", tmp_path / "good"]
    build = Builder()
    cached(IDENTITY, places, build)
    cached(IDENTITY, places, build)
    assert build.calls == 1
    assert entry_of(tmp_path / "good").is_dir()


def test_without_any_place_the_data_is_there_all_the_same(tmp_path: Path, caplog):
    (tmp_path / "file").write_bytes(b"")
    assert same(cached(IDENTITY, [tmp_path / "file" / "below"], Builder()), make())
    assert "could not be kept" in caplog.text


def test_a_chosen_place_has_to_work(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ValueError, match=r"data\.cache_dir=.*below cannot be written"):
        cached(IDENTITY, [tmp_path / "file" / "below"], Builder(), required=True)


def test_others_may_read_the_files(tmp_path: Path):
    cached(IDENTITY, [tmp_path], Builder())
    modes = {stat.S_IMODE(path.stat().st_mode) for path in entry_of(tmp_path).iterdir()}
    assert modes == {0o644}


def test_places(tmp_path: Path, own_cache: Path):
    archive, folder = tmp_path / "x.tar.xz", tmp_path / "images"
    archive.touch()
    folder.mkdir()
    user = own_cache / "cifar-images"
    assert cache_places(archive, None) == [tmp_path / "x.tar.xz.cache", user]
    assert cache_places(folder, None) == [folder / ".cache", user]
    assert cache_places(None, None) == [user]
    assert cache_places(archive, tmp_path / "chosen") == [tmp_path / "chosen"]


def test_a_folder_marked_read_only_is_left_alone_even_by_root(tmp_path: Path, own_cache: Path):
    own_cache.mkdir()
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "x.tar").touch()
    folder.chmod(0o555)
    try:
        assert cache_places(folder / "x.tar", None) == [own_cache / "cifar-images"]
        assert cache_places(folder, None) == [own_cache / "cifar-images"]
    finally:
        folder.chmod(0o755)


def test_a_relative_cache_home_is_ignored(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_places(None, None) == [Path("/home/somebody/.cache/cifar-images")]
