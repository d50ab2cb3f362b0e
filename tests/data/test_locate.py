"""Where the files of a data set come from: found, downloaded, or the ways out in one line."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from src.data import download
from src.data.download import locate_or_download
from src.data.registry import DATASETS, RemoteFile
from tests.fixtures.datasets import (
    cifar10_python_files,
    cifar100_python_files,
    idx_files,
    load_images,
    write_archive,
    write_files,
)
from tests.fixtures.server import serving

FILE = "cifar-10-python.tar.gz"
WAYS = [FILE, "data.root", "data=shapes"]


def refused(message: str, *arguments: object, **options: object) -> None:
    with pytest.raises(ValueError, match=message) as error:
        load_images(*arguments, **options)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def serve(monkeypatch: pytest.MonkeyPatch, *urls: str, md5: str = "0") -> None:
    info = replace(DATASETS["cifar10"], files=(RemoteFile(FILE, urls, md5),))
    monkeypatch.setitem(DATASETS, info.name, info)


@pytest.mark.parametrize(
    "place", ["missing/data", "empty", "empty/cifar-10-python.tar.gz", "other sets"]
)
def test_downloads_where_nothing_is(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".gitkeep").touch()
    write_files(tmp_path / "other sets" / "cifar-100-python", cifar100_python_files())
    content = write_archive(tmp_path / "x.tar.gz", cifar10_python_files()).read_bytes()
    with serving() as server:
        server.files[FILE] = content
        serve(monkeypatch, server.url(FILE), md5=hashlib.md5(content).hexdigest())
        assert len(load_images("cifar10", tmp_path / place).classes) == 10
        assert len(load_images("cifar10", tmp_path / place).classes) == 10
        assert len(server.requests) == 1
    file = tmp_path / place if place.endswith(".gz") else tmp_path / place / FILE
    assert file.is_file()


def test_failed_download_names_the_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with serving() as server:
        serve(monkeypatch, server.url("a"), server.url("b"))
        with pytest.raises(ValueError, match="HTTP Error 404: Not Found") as error:
            load_images("cifar10", tmp_path / "data")
    text = str(error.value)
    assert "\n" not in text
    assert server.url("a") in text
    assert server.url("b") in text
    assert str(tmp_path / "data") in text
    assert all(way in text for way in WAYS)


def test_download_can_be_forbidden(tmp_path: Path):
    with pytest.raises(ValueError, match=r"data\.download=false") as error:
        load_images("cifar10", tmp_path / "data", download=False)
    assert all(way in str(error.value) for way in WAYS)
    assert not (tmp_path / "data").exists()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("downloaded")

    monkeypatch.setattr(download, "download", never)


@pytest.mark.usefixtures("offline")
def test_a_mistyped_archive_is_not_downloaded(tmp_path: Path):
    refused(r"nothing at data\.root=.*cifr10\.tar\.xz: put", "cifar10", tmp_path / "cifr10.tar.xz")


@pytest.mark.usefixtures("offline")
def test_nothing_is_downloaded_among_other_things(tmp_path: Path):
    write_files(tmp_path / "thesis", {"chapter.tex": b""})
    refused("holds nothing known.*expected", "cifar10", tmp_path / "thesis")


@pytest.mark.usefixtures("offline")
def test_a_folder_needs_a_root(tmp_path: Path):
    refused(r"data\.root is not set", "folder")
    refused(r"nothing at data\.root=.*data=shapes", "folder", tmp_path / "missing")


def test_a_file_of_no_known_format(tmp_path: Path):
    (tmp_path / "x.bin").write_bytes(b"what is this")
    refused("of no known format", "cifar10", tmp_path / "x.bin")


def test_only_missing_files_are_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files = idx_files()
    kept, *missing = files
    write_files(tmp_path / "f", {kept: files[kept]})
    with serving() as server:
        server.files = dict(files)
        remote = tuple(
            RemoteFile(n, (server.url(n),), hashlib.md5(c).hexdigest()) for n, c in files.items()
        )
        info = replace(DATASETS["fashion_mnist"], files=remote)
        monkeypatch.setitem(DATASETS, info.name, info)
        assert len(load_images("fashion_mnist", tmp_path / "f").train) == 20
        assert server.requests == missing


def test_a_served_file_with_a_wrong_checksum_is_not_taken(tmp_path: Path, monkeypatch):
    with serving() as server:
        server.files[FILE] = write_archive(
            tmp_path / "x.tar.gz", cifar10_python_files()
        ).read_bytes()
        serve(monkeypatch, server.url(FILE), md5="0" * 32)
        refused(r"md5 is .*, expected 0000", "cifar10", tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("name", ["cifar10", "folder"])
def test_a_path_that_is_not_absolute_says_where_it_begins(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"data\.root=missing") as refusal:
        locate_or_download(DATASETS[name], Path("missing"), allow_download=False)
    assert f"(in the current directory, {tmp_path})" in str(refusal.value)
    with pytest.raises(ValueError, match=r"data\.root=") as refusal:
        locate_or_download(DATASETS[name], tmp_path / "missing", allow_download=False)
    assert "current directory" not in str(refusal.value)
