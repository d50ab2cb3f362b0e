"""Image file formats, by suffix and by content, and counts of files that are not read."""

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".webp", ".avif", ".gif"),
    *(".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
"""What is taken from folders, archives and patterns: what OpenCV 5.0 reads in 8 or 16 bits."""

_MAGIC = {
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"8BPS": "a Photoshop file (PSD)",
    b"%PDF": "PDF",
}
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def unsupported(buffer: bytes) -> str | None:
    """What a file is that OpenCV cannot read, by its first bytes; None: not known."""
    if buffer[4:8] == b"ftyp" and buffer[8:12] in _HEIC:
        return "HEIC"
    return next((name for magic, name in _MAGIC.items() if buffer.startswith(magic)), None)


def not_read(names: Iterable[str]) -> str:
    """``not read: 20 .heic, 3 .txt``, the most frequent suffix first; empty for no names."""
    counts = Counter(PurePosixPath(name).suffix.lower() or "without suffix" for name in names)
    listed = ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common())
    return f"not read: {listed}" if listed else ""
