"""What a user names as input: which files it means, in which order, and what cannot be read."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from src.predict.inputs import find_images, read_batches
from tests.fixtures.datasets import encode, random_images, write_files

IMAGE = encode(random_images(1)[0])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("in [x]", ["a2.png", "a10.png", "ab.jpg", "sub/deep/c.png"]),
        ("in [x]/a*", ["a2.png", "a10.png", "ab.jpg"]),
        ("in [x]/*.png", ["a2.png", "a10.png"]),
        ("in [x]/**/*.png", ["a2.png", "a10.png", "sub/deep/c.png"]),
        ("in [x]/a[2-9].*", ["a2.png"]),
        ("in [x]/s*", ["sub/deep/c.png"]),
        ("in [x]/**", ["a2.png", "a10.png", "ab.jpg", "sub/deep/c.png"]),
    ],
)
def test_folders_and_patterns(
    source: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = dict.fromkeys(["a10.png", "a2.png", "ab.jpg", "sub/deep/c.png"], IMAGE)
    others = dict.fromkeys(["a.txt", ".hidden.png", ".hidden/a.png", "sub/README"], b"text")
    place = write_files(Path("in [x]"), files | others)
    (place / "sub/loop").symlink_to("..")
    found = find_images(source)
    assert [str(path) for path in found.files] == [f"in [x]/{name}" for name in expected]
    assert found.problems == []


def test_links_to_parents_and_to_themselves_are_not_followed(tmp_path: Path) -> None:
    write_files(tmp_path, {"private/secret.png": IMAGE, "photos/a.png": IMAGE})
    (tmp_path / "photos/loop").symlink_to("..")
    (tmp_path / "photos/b.png").symlink_to("b.png")
    found = find_images(f"{tmp_path}/photos/*")
    assert [path.name for path in found.files] == ["a.png", "b.png"]


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, {"a.png": IMAGE, "b.png": IMAGE, "c/d.png": IMAGE})
    opened, iterdir = Path.open, Path.iterdir

    # As root, which may read everything, modes would not do.
    def closed_file(path: Path, mode: str) -> IO[bytes]:
        if path.name == "b.png":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, mode)

    def closed_folder(path: Path) -> Iterator[Path]:
        if path.name == "c":
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "open", closed_file)
    monkeypatch.setattr(Path, "iterdir", closed_folder)
    found = find_images(str(tmp_path))
    assert found.problems == [f"{tmp_path / 'c'} cannot be read: Permission denied"]
    ((images, problems),) = read_batches(found.files, (8, 4, 1), batch_size=9)
    assert problems == [f"{tmp_path / 'b.png'} cannot be read: Permission denied"]
    assert [(image.file, image.pixels.shape) for image in images] == [
        (tmp_path / "a.png", (8, 4, 1))
    ]


def test_a_thumbnail_keeps_proportions_and_colors(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.png": encode(random_images(1)[0].repeat(16, 0).repeat(8, 1))})
    (((image,), _),) = read_batches([tmp_path / "a.png"], (8, 8, 1), batch_size=1)
    assert image.thumbnail.shape == (128, 64, 3)


def test_what_is_left_out_of_a_folder_is_listed(tmp_path: Path) -> None:
    place = write_files(tmp_path / "in", {"a.jfif": IMAGE, "b.heic": b"x", "c/d.txt": b"x"})
    found = find_images(str(place))
    assert [file.name for file in found.files] == ["a.jfif"]
    assert sorted(file.name for file in found.others) == ["b.heic", "d.txt"]
