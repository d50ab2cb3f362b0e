"""Reading archives: every kind, what is refused, damage, limits."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from src.data.readers.archive import archive_kind, member_names, read_members
from tests.fixtures.datasets import write_archive

FILES = {"a/one.txt": b"1" * 700, "a/two.txt": b"2" * 512, "b/three.bin": bytes(range(256)) * 40}
KINDS = [".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".zip"]


def contents(path: Path, **limits: int) -> dict[str, bytes | None]:
    return dict(read_members(path, lambda name: True, **limits))


def tar_with(path: Path, *infos: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    return path


@pytest.mark.parametrize("ending", KINDS)
def test_every_kind_is_read_by_its_content(ending: str, tmp_path: Path):
    path = write_archive(tmp_path / f"x{ending}", FILES)
    renamed = path.rename(tmp_path / "no-ending")
    assert contents(renamed) == FILES
    assert archive_kind(renamed) == ending[1:]


@pytest.mark.parametrize("ending", KINDS)
def test_only_wanted_files_are_read(ending: str, tmp_path: Path):
    path = write_archive(tmp_path / f"x{ending}", FILES)
    members = list(read_members(path, lambda name: name.endswith(".bin")))
    assert members == [("b/three.bin", FILES["b/three.bin"])]


@pytest.mark.parametrize("ending", KINDS)
def test_names_come_as_far_as_they_are_asked_for(ending: str, tmp_path: Path):
    path = write_archive(tmp_path / f"x{ending}", FILES)
    assert next(member_names(path)) == "a/one.txt"
    assert list(member_names(path)) == list(FILES)


def test_folders_are_told(tmp_path: Path):
    folder = tarfile.TarInfo("empty")
    folder.type = tarfile.DIRTYPE
    assert contents(tar_with(tmp_path / "x.tar", folder)) == {"empty": None}
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("empty/", b"")
    assert contents(tmp_path / "x.zip") == {"empty/": None}


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/evil", "C:\\evil", "a\\..\\evil"]
)
@pytest.mark.parametrize("ending", [".tar", ".zip"])
def test_names_that_lead_out_are_refused(name: str, ending: str, tmp_path: Path):
    path = write_archive(tmp_path / f"x{ending}", {name: b""})
    with pytest.raises(ValueError, match=r"evil.*leads out of the archive"):
        contents(path)


def test_dots_within_a_name_are_fine(tmp_path: Path):
    assert contents(write_archive(tmp_path / "x.tar", {"a..b/c...d": b"1"})) == {"a..b/c...d": b"1"}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused(kind: bytes, tmp_path: Path):
    info = tarfile.TarInfo("odd")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(ValueError, match="'odd', a link or device"):
        contents(tar_with(tmp_path / "x.tar", info))


def test_links_in_zip_files_are_refused(tmp_path: Path):
    info = zipfile.ZipInfo("odd")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ValueError, match="'odd', a link or device"):
        contents(tmp_path / "x.zip")


@pytest.mark.parametrize("ending", KINDS)
def test_sizes_are_limited(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_archive(tmp_path / f"x{ending}", {"small": b"1", "large": bytes(200_000)})
    with pytest.raises(ValueError, match=r"'large' of 200000 bytes; at most 1000 are"):
        contents(path, file_limit=1000)
    assert list(read_members(path, lambda name: name == "small", file_limit=1000))
    monkeypatch.setattr("src.data.readers.archive.TOTAL_LIMIT", 100_000)
    with pytest.raises(ValueError, match="unpacks to more than 100000 bytes"):
        contents(path)


def test_what_is_said_of_a_damaged_archive_is_short(tmp_path: Path):
    path = write_archive(tmp_path / "x.zip", FILES)
    damaged = bytearray(path.read_bytes())
    damaged[26:28] = (9000).to_bytes(2, "little")  # the length of the first name
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="may be damaged or truncated") as error:
        contents(path)
    assert len(str(error.value)) < 600 and str(error.value).isprintable()


def test_a_tar_that_goes_in_circles(tmp_path: Path):
    """An entry of negative size ends where it, or an earlier one, begins."""
    for info in (tarfile.TarInfo("odd"), tarfile.TarInfo("long" * 50)):
        path = tmp_path / "x.tar"
        block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        block[124:136] = b"\xff" * 10 + b"\xfe\x00"
        checksum = sum(block[:148]) + 8 * 32 + sum(block[156:512])
        block[148:156] = b"%06o\0 " % checksum
        path.write_bytes(bytes(block) + bytes(10240))
        with pytest.raises(ValueError, match="may be damaged"):
            contents(path)
    pax = tarfile.TarInfo("odd")
    pax.pax_headers = {"size": "-1024"}
    path.write_bytes(pax.tobuf(tarfile.PAX_FORMAT) + bytes(10240))
    with pytest.raises(ValueError, match="may be damaged"):
        contents(path)


def test_files_with_holes_are_refused(tmp_path: Path):
    info = tarfile.TarInfo("odd")
    info.type = tarfile.GNUTYPE_SPARSE
    (tmp_path / "x.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(ValueError, match="'odd', a link or device or a file with holes"):
        contents(tmp_path / "x.tar")


def test_what_is_not_wanted_is_bounded_too(tmp_path: Path):
    path = write_archive(tmp_path / "x.tar.gz", {"notes.txt": bytes(300 << 20)})
    with pytest.raises(ValueError, match=r"unpacks to more than 268435456 .*'notes\.txt'"):
        list(read_members(path, lambda name: False))


def test_a_monstrous_header_is_not_loaded(tmp_path: Path):
    path = tmp_path / "x.tar"
    info = tarfile.TarInfo("extension")
    info.type, info.size = tarfile.XHDTYPE, 5 << 30
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(ValueError, match="too many to be right"):
        contents(path)


@pytest.mark.parametrize("ending", KINDS)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_truncated_archives(ending: str, kept: float, tmp_path: Path):
    path = write_archive(tmp_path / f"x{ending}", FILES)
    whole = path.read_bytes().rstrip(b"\0") if ending == ".tar" else path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(ValueError, match="may be damaged or truncated"):
        contents(path)


def test_a_tar_that_stops_between_two_members(tmp_path: Path):
    path = write_archive(tmp_path / "x.tar", FILES)
    path.write_bytes(path.read_bytes()[: 512 + 1024])
    with pytest.raises(ValueError, match="may be damaged or truncated"):
        contents(path)


def test_a_tar_with_a_damaged_header(tmp_path: Path):
    path = write_archive(tmp_path / "x.tar", FILES)
    damaged = bytearray(path.read_bytes())
    damaged[512 + 1024 + 3] ^= 1  # in the second member's name
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="may be damaged or truncated"):
        contents(path)


@pytest.mark.parametrize("ending", [".tar.gz", ".tar.xz", ".tar.bz2", ".zip"])
def test_flipped_bits_are_noticed(ending: str, tmp_path: Path):
    path = write_archive(tmp_path / f"x{ending}", {"noise": bytes(range(256)) * 200})
    damaged = bytearray(path.read_bytes())
    at = 60 if ending == ".zip" else len(damaged) - 30 if ending != ".tar.gz" else -6
    damaged[at] ^= 0x10
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="may be damaged or truncated"):
        contents(path)


def test_no_archive(tmp_path: Path):
    (tmp_path / "x.tar.gz").write_bytes(b"<html>404</html>")
    with pytest.raises(ValueError, match=r"x\.tar\.gz is no archive"):
        contents(tmp_path / "x.tar.gz")
