"""Downloading, against a server on this machine."""

import errno
import hashlib
import http.client
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.data.download import download
from tests.fixtures.server import FileServer, serving

CONTENT = bytes(range(256)) * 4000  # a megabyte: several chunks
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        server.files["file"] = CONTENT
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "file.tar.gz"


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_whole_file(server: FileServer, target: Path):
    download([server.url("file")], target, MD5)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_a_server_that_does_not_say_the_size(server: FileServer, target: Path):
    server.says_size = False
    download([server.url("file")], target, MD5)
    assert target.read_bytes() == CONTENT


def test_progress_is_shown(server: FileServer, target: Path, capsys: pytest.CaptureFixture[str]):
    download([server.url("file")], target, MD5)
    assert "file.tar.gz" in capsys.readouterr().out


def test_connection_that_ends_early_goes_to_the_next_address(server: FileServer, target: Path):
    server.files["mirror"] = CONTENT
    server.cut = [100_000]
    download([server.url("file"), server.url("mirror")], target, MD5)
    assert server.requests == ["file", "mirror"]
    assert target.read_bytes() == CONTENT


def test_connection_that_always_ends_early(server: FileServer, target: Path):
    server.cut = [10] * 9
    with pytest.raises(ValueError, match=f"ended after 10 of {len(CONTENT)} bytes"):
        download([server.url("file")], target, MD5)
    assert list(target.parent.iterdir()) == []


def test_an_interrupted_download_leaves_nothing(
    server: FileServer, target: Path, monkeypatch: pytest.MonkeyPatch
):
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(http.client.HTTPResponse, "read", stop)
    with pytest.raises(KeyboardInterrupt):
        download([server.url("file")], target, MD5)
    assert list(target.parent.iterdir()) == []


def test_wrong_checksum_goes_to_the_next_address(server: FileServer, target: Path):
    server.files["bad"] = CONTENT[:-1] + b"!"
    download([server.url("bad"), server.url("file")], target, MD5)
    assert server.requests == ["bad", "file"]
    assert target.read_bytes() == CONTENT


def test_wrong_checksum_everywhere(server: FileServer, target: Path):
    with pytest.raises(ValueError, match=f"md5 is {MD5}, expected 0000"):
        download([server.url("file")], target, "0000")
    assert list(target.parent.iterdir()) == []


def test_an_earlier_file_stays_when_the_new_one_is_wrong(server: FileServer, target: Path):
    target.parent.mkdir(parents=True)
    target.write_bytes(b"earlier")
    with pytest.raises(ValueError, match="md5 is"):
        download([server.url("file")], target, "0000")
    assert target.read_bytes() == b"earlier"


def test_missing_and_busy_go_to_the_next_address(server: FileServer, target: Path):
    server.answers = [404, 503]
    download([server.url("gone"), server.url("busy"), server.url("file")], target, MD5)
    assert server.requests == ["gone", "busy", "file"]
    assert target.read_bytes() == CONTENT


def test_every_address_and_its_reason_in_one_line(server: FileServer, target: Path):
    dead = f"http://127.0.0.1:{closed_port()}/file"
    server.files["bad"] = b"bad"
    urls = [server.url("gone"), dead, server.url("bad"), "no address"]
    reasons = (
        f"{urls[0]}: HTTP Error 404: Not Found; ",
        f"{urls[1]}: [Errno {errno.ECONNREFUSED}] Connection refused; ",
        f"{urls[2]}: md5 is {hashlib.md5(b'bad').hexdigest()}, expected {MD5}; ",
        f"{urls[3]}: unknown url type: 'no address'",
    )
    with pytest.raises(ValueError, match=f"^file.tar.gz: {re.escape(''.join(reasons))}$"):
        download(urls, target, MD5)
    assert list(target.parent.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_no_fault_of_the_server(server: FileServer, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        download([server.url("file")], tmp_path / "file" / "x", MD5)
    assert server.requests == []
