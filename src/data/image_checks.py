"""Checks of an image file before it is decoded: whole, one frame, of bearable size.

Decoders fill what is missing with gray and say nothing; of an animation or of several pages they
deliver the first; CIE L*a*b* they take for RGB; and the memory that a size asks for they take at
once. What the walks below cannot follow they leave to the decoder.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"

PIXEL_LIMIT = 1 << 28
"""The most pixels an image may have: more than a camera's 200 million; 0.8 GB in colour."""

# A few bytes may declare as many. Beyond what any memory holds, a file has to have some bytes for
# its pixels: a photograph has one or so for eight, a blank page in PNG one for a thousand.
_FREE = 1 << 25
_PIXELS_A_BYTE = 1000

_MOST_PAGES = 64  # enough to know; a chain of pages may have no end
_JPEG_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_TIFF_SUBFILE, _TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_COLOURS = 254, 256, 257, 262
_TIFF_REDUCED, _TIFF_MASK = 1, 4
_TIFF_LAB = (8, 9, 10)
_PNM = re.compile(rb"P[1-6](?:\s+#[^\n]*)*\s+(\d{1,9})(?:\s+#[^\n]*)*\s+(\d{1,9})")


class _Header(NamedTuple):
    frames: int = 1
    width: int = 0
    height: int = 0
    lab: bool = False


def unsupported_reason(buffer: bytes) -> str | None:
    """Why a file is not to be decoded, or None: it has several frames, is too large, or L*a*b*."""
    try:
        header = _read(buffer)
    except (struct.error, IndexError):
        return None
    if header.frames > 1:
        return "has more than one frame or page, which may differ; a single image is expected"
    limit = min(PIXEL_LIMIT, max(_FREE, _PIXELS_A_BYTE * len(buffer)))
    if header.width * header.height > limit:
        return (
            f"declares {header.width}x{header.height} pixels; at most {limit} are accepted in "
            f"{len(buffer)} bytes"
        )
    if header.lab:
        return "holds L*a*b* colours; RGB or grey is expected"
    return None


def _read(buffer: bytes) -> _Header:
    if buffer.startswith(PNG_MAGIC):
        return _png(buffer)
    if buffer.startswith(b"\xff\xd8"):
        return _jpeg(buffer)
    if buffer.startswith(b"RIFF") and buffer[8:12] == b"WEBP":
        # At most 16,384 pixels a side, which is the limit.
        return _Header(sum(kind == b"ANMF" for kind in _chunks(buffer)))
    if buffer[:4] in (b"II*\0", b"MM\0*"):
        return _tiff(buffer)
    if buffer.startswith(b"BM"):
        width, height = struct.unpack_from("<ii", buffer, 18)
        return _Header(1, abs(width), abs(height))
    if buffer.startswith((b"GIF87a", b"GIF89a")):
        return _Header(_gif_frames(buffer))
    if found := _PNM.match(buffer):
        return _Header(1, int(found[1]), int(found[2]))
    # AV1's brand for sequences of images
    return _Header(2 if buffer[4:12] == b"ftypavis" else 1)


def _png(buffer: bytes) -> _Header:
    """Animation control (acTL) counts the frames; it stands before the pixels (IDAT)."""
    width, height = struct.unpack_from(">II", buffer, 16)
    place, frames = 8, 1
    while place < len(buffer):
        length, kind = struct.unpack_from(">I4s", buffer, place)
        if kind == b"IDAT":
            break
        if kind == b"acTL":
            (frames,) = struct.unpack_from(">I", buffer, place + 8)
        place += 12 + length
    return _Header(frames, width, height)


def _jpeg(buffer: bytes) -> _Header:
    place = 2
    while True:
        while buffer[place] == 0xFF and buffer[place + 1] == 0xFF:  # fill bytes
            place += 1
        kind, length = struct.unpack_from(">xBH", buffer, place)
        if kind in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", buffer, place + 5)
            return _Header(1, width, height)
        place += 2 + length


def _chunks(buffer: bytes) -> Iterator[bytes]:
    place = 12
    while place + 8 <= len(buffer):
        kind, length = struct.unpack_from("<4sI", buffer, place)
        yield kind
        place += 8 + length + length % 2


def _tiff(buffer: bytes) -> _Header:
    """Pages are directories in a chain; thumbnails and masks are marked and do not count."""
    order = "<" if buffer[:2] == b"II" else ">"
    (place,) = struct.unpack_from(f"{order}I", buffer, 4)
    pages: list[dict[int, int]] = []
    seen: set[int] = set()
    while place and place not in seen and len(seen) < _MOST_PAGES and place < len(buffer):
        seen.add(place)
        (count,) = struct.unpack_from(f"{order}H", buffer, place)
        tags = dict(_tiff_tag(buffer, order, place + 2 + 12 * entry) for entry in range(count))
        if not tags.get(_TIFF_SUBFILE, 0) & (_TIFF_REDUCED | _TIFF_MASK):
            pages.append(tags)
        (place,) = struct.unpack_from(f"{order}I", buffer, place + 2 + 12 * count)
    first = pages[0] if pages else {}
    size = (first.get(_TIFF_WIDTH, 0), first.get(_TIFF_HEIGHT, 0))
    return _Header(len(pages), *size, first.get(_TIFF_COLOURS) in _TIFF_LAB)


def _tiff_tag(buffer: bytes, order: str, place: int) -> tuple[int, int]:
    tag, kind = struct.unpack_from(f"{order}HH", buffer, place)
    short = 3
    (value,) = struct.unpack_from(f"{order}{'H' if kind == short else 'I'}", buffer, place + 8)
    return tag, value


def _gif_frames(buffer: bytes) -> int:
    def table(flags: int) -> int:
        return 3 << ((flags & 7) + 1) if flags & 0x80 else 0

    def after_blocks(place: int) -> int:
        while buffer[place]:
            place += 1 + buffer[place]
        return place + 1

    place, frames = 13 + table(buffer[10]), 0
    while frames < 2 and place < len(buffer) and buffer[place] in b"!,":
        if buffer[place] == ord("!"):
            place = after_blocks(place + 2)
        else:
            frames += 1
            place = after_blocks(place + 11 + table(buffer[place + 9]))
    return frames


_PNG_NEEDED = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
# In entropy-coded data FF is followed by 00 (a literal FF), D0..D7 (restart) or another FF (fill).
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)
_JPEG_PADDING = b"\0\r\n \t"
_EOI, _SOS = 0xD9, 0xDA


def _jpeg_ends(buffer: bytes) -> bool:
    """Walk the segments (ITU-T T.81, annex B) to the end-of-image marker after the pixel data.

    Looking for FFD9 anywhere will not do: a thumbnail in the header has one of its own.
    """
    if buffer.rstrip(_JPEG_PADDING).endswith(b"\xff\xd9"):
        return True
    position, in_scan = 2, False
    while marker := _JPEG_MARKER.search(buffer, position):
        kind = marker[1][0]
        length = int.from_bytes(buffer[marker.end() : marker.end() + 2])
        if kind == _EOI or length < 2:
            return kind == _EOI and in_scan
        in_scan = in_scan or kind == _SOS
        position = marker.end() + length
    return False


def _png_chunks(buffer: bytes) -> Iterator[tuple[bytes, bool]]:
    """The kind of each whole chunk, and whether its checksum is right."""
    content, place = memoryview(buffer), len(PNG_MAGIC)
    while place + 12 <= len(buffer):
        end = place + 8 + int.from_bytes(content[place : place + 4])
        if end + 4 > len(buffer):
            return
        checksum = int.from_bytes(content[end : end + 4])
        yield (
            bytes(content[place + 4 : place + 8]),
            zlib.crc32(content[place + 4 : end]) == checksum,
        )
        place = end + 4


def _png_damage(buffer: bytes) -> str | None:
    for kind, right in _png_chunks(buffer):
        # What other chunks hold is not of the picture.
        if not right and kind in _PNG_NEEDED:
            return f"is damaged: the checksum of its {kind.decode()} chunk is wrong"
        if kind == b"IEND":
            return None
    return "is truncated: its PNG data has no IEND chunk"


def damage_reason(buffer: bytes) -> str | None:
    """What an image file lacks, or None where it is complete.

    JPEG needs its end-of-image marker (padding or an appended file may follow), PNG its IEND
    chunk and right checksums, WebP the length it declares. Other formats are left to the decoder.
    """
    if buffer[:2] == b"\xff\xd8" and not _jpeg_ends(buffer):
        return "is truncated: its JPEG data has no end marker"
    if buffer.startswith(PNG_MAGIC):
        return _png_damage(buffer)
    if buffer[:4] == b"RIFF" and buffer[8:12] == b"WEBP":
        declared = int.from_bytes(buffer[4:8], "little") + 8
        if len(buffer) < declared:
            return f"is truncated: {declared} bytes declared, {len(buffer)} there"
    return None


_UNREADABLE = {
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"8BPS": "a Photoshop file (PSD)",
    b"%PDF": "PDF",
}
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def unreadable_format(buffer: bytes) -> str | None:
    """The format of a file that OpenCV 5.0 does not read, by its first bytes; None: another."""
    if buffer[4:8] == b"ftyp" and buffer[8:12] in _HEIC:
        return "HEIC"
    return next((name for magic, name in _UNREADABLE.items() if buffer.startswith(magic)), None)
