"""Downloading, against a server on this machine."""

import errno
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.data.download import DownloadError, download
from tests.fixtures.server import FileServer, serving

CONTENT = bytes(range(256)) * 4000  # a megabyte: several chunks
MD5 = hashlib.md5(CONTENT).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        server.files["file"] = CONTENT
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "file.tar.gz"


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def get(target: Path, waits: list[float]):
    def run(*urls: str, **options):
        options = {"md5": MD5, "progress": False, "sleep": waits.append, **options}
        return download(urls, target, **options)

    return run


def part_of(target: Path, content: bytes) -> Path:
    target.parent.mkdir(parents=True)
    part = target.with_name(target.name + ".part")
    part.write_bytes(content)
    return part


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("checksums", [{}, {"md5": MD5.upper()}, {"sha256": SHA256}])
def test_whole_file(server: FileServer, target: Path, get, checksums: dict[str, str]):
    assert get(server.url("file"), **{"md5": None, **checksums}) == target
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_progress_is_shown(server: FileServer, get, capsys):
    get(server.url("file"), progress=True)
    assert "file.tar.gz" in capsys.readouterr().out


def test_resumes(server: FileServer, target: Path, get):
    part_of(target, CONTENT[:300_000])
    get(server.url("file"))
    assert server.requests == [("file", "bytes=300000-")]
    assert target.read_bytes() == CONTENT


def test_server_that_ignores_ranges(server: FileServer, target: Path, get):
    server.ranges = False
    part_of(target, b"?" * 300_000)
    get(server.url("file"))
    assert server.requests == [("file", "bytes=300000-")]
    assert target.read_bytes() == CONTENT


def test_part_that_is_whole_already(server: FileServer, target: Path, get):
    part_of(target, CONTENT)
    get(server.url("file"))
    assert server.requests == [("file", f"bytes={len(CONTENT)}-")]
    assert target.read_bytes() == CONTENT


def test_part_that_is_too_long_is_begun_again(server: FileServer, target: Path, get):
    part_of(target, CONTENT + b"more")
    get(server.url("file"))
    assert [asked for _, asked in server.requests] == [f"bytes={len(CONTENT) + 4}-", None]
    assert target.read_bytes() == CONTENT


def test_part_of_something_else_is_begun_again(server: FileServer, target: Path, get):
    part_of(target, b"?" * 1000)
    get(server.url("file"))
    assert [asked for _, asked in server.requests] == ["bytes=1000-", None]
    assert target.read_bytes() == CONTENT


def test_connection_that_ends_early_is_taken_up_again(server: FileServer, target: Path, get, waits):
    server.cut = [100_000, 200_000]
    get(server.url("file"))
    assert [asked for _, asked in server.requests] == [None, "bytes=100000-", "bytes=300000-"]
    assert target.read_bytes() == CONTENT
    assert waits == [1.0, 2.0]


def test_connection_that_always_ends_early(server: FileServer, target: Path, get, waits):
    server.cut = [10] * 9
    with pytest.raises(DownloadError, match=f"ended after 30 of {len(CONTENT)} bytes"):
        get(server.url("file"))
    assert not target.exists()
    assert target.with_name(target.name + ".part").stat().st_size == 30  # for the next time
    assert len(waits) == 2


def test_next_address_takes_over_where_the_first_stopped(server: FileServer, target: Path, get):
    server.files["mirror"] = CONTENT
    server.cut = [100_000]
    get(server.url("file"), server.url("mirror"), retries=1)
    assert server.requests == [("file", None), ("mirror", "bytes=100000-")]
    assert target.read_bytes() == CONTENT


def test_wrong_checksum_goes_to_the_next_address(server: FileServer, target: Path, get):
    server.files["bad"] = CONTENT[:-1] + b"!"
    get(server.url("bad"), server.url("file"))
    assert server.requests == [("bad", None), ("file", None)]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_wrong_checksum_everywhere(server: FileServer, target: Path, get, kind: str):
    expected = "0" * 32
    with pytest.raises(DownloadError, match=f"{kind} is [0-9a-f]+, expected {expected}"):
        get(server.url("file"), **{"md5": None, kind: expected})
    assert list(target.parent.iterdir()) == []


def test_missing_file_is_not_asked_for_twice(server: FileServer, get, waits):
    get(server.url("gone"), server.url("file"))
    assert [path for path, _ in server.requests] == ["gone", "file"]
    assert waits == []


def test_busy_server_is_asked_again(server: FileServer, target: Path, get, waits):
    server.answers = [503, 429]
    get(server.url("file"))
    assert target.read_bytes() == CONTENT
    assert waits == [1.0, 2.0]


def test_every_address_and_its_reason_in_one_line(server: FileServer, target: Path, get):
    dead = f"http://127.0.0.1:{closed_port()}/file"
    server.files["bad"] = b"bad"
    with pytest.raises(DownloadError) as error:
        get(server.url("gone"), dead, server.url("bad"), "no address")
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith("file.tar.gz could not be downloaded (")
    assert f"{server.url('gone')}: HTTP 404 Not Found; " in text
    assert f"{dead}: [Errno {errno.ECONNREFUSED}] Connection refused; " in text
    assert f"{server.url('bad')}: md5 is " in text
    assert "no address: unknown url type" in text
    assert not target.exists()


def test_a_folder_that_cannot_be_written_is_no_fault_of_the_server(
    server: FileServer, tmp_path: Path
):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        download([server.url("file")], tmp_path / "file" / "x", progress=False)
    assert server.requests == []
