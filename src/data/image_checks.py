"""Checks of an image file before it is decoded: complete, one frame, not too large.

OpenCV fills what a truncated file lacks with gray without an error, returns the first of several
frames or pages, takes CIE L*a*b* for RGB, and allocates whatever size a header declares.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_JPEG_MAGIC = b"\xff\xd8"
_JPEG_2000_SIZE = b"\xff\x4f\xff\x51"  # start of the codestream, then the SIZ segment
_JPEG_2000 = (b"\0\0\0\x0cjP  ", _JPEG_2000_SIZE)
_WEBP_MAGIC = b"RIFFWEBP"  # with the size of the file between its halves

PIXEL_LIMIT = 1 << 28  # more than a camera's 200 million; 0.8 GB in color
# A file of a few bytes may declare as many. Above 2^25 pixels it must have some bytes for them: a
# photograph has about one for eight pixels, a blank page in PNG one for a thousand.
_FREE_PIXELS = 1 << 25
_PIXELS_PER_BYTE = 1000


class _Header(NamedTuple):
    """What a header declares; width and height are 0 in formats whose size is not read."""

    frames: int = 1
    width: int = 0
    height: int = 0
    lab: bool = False


def unsupported_reason(buffer: bytes) -> str | None:
    """Why a file must not be decoded: several frames, too many pixels, L*a*b*; else None."""
    try:
        header = _read_header(buffer)
    except (struct.error, IndexError):
        return None  # the header is cut short: the decoder refuses the file
    if header.frames > 1:
        return "has more than one frame or page, which may differ; a single image is expected"
    limit = min(PIXEL_LIMIT, max(_FREE_PIXELS, _PIXELS_PER_BYTE * len(buffer)))
    if header.width * header.height > limit:
        return (
            f"declares {header.width}x{header.height} pixels; at most {limit} are accepted in "
            f"{len(buffer)} bytes"
        )
    if header.lab:
        return "holds L*a*b* colors; RGB or gray is expected"
    return None


_PNM = re.compile(rb"P[1-6](?:\s+#[^\n]*)*\s+(\d{1,9})(?:\s+#[^\n]*)*\s+(\d{1,9})")


def _read_header(buffer: bytes) -> _Header:
    if buffer.startswith(PNG_MAGIC):
        return _png_header(buffer)
    if buffer.startswith(_JPEG_MAGIC):
        return _jpeg_header(buffer)
    if buffer[:4] + buffer[8:12] == _WEBP_MAGIC:
        # A chunk for each frame of an animation. The sides are at most 16,384: within PIXEL_LIMIT.
        return _Header(buffer.count(b"ANMF"))
    if buffer[:4] in (b"II*\0", b"MM\0*"):
        return _tiff_header(buffer)
    if buffer.startswith(b"BM"):
        width, height = struct.unpack_from("<ii", buffer, 18)
        return _Header(1, abs(width), abs(height))
    if buffer.startswith((b"GIF87a", b"GIF89a")):
        return _Header(_gif_frames(buffer), *struct.unpack_from("<HH", buffer, 6))
    if found := _PNM.match(buffer):
        return _Header(1, int(found[1]), int(found[2]))
    if buffer.startswith(_JPEG_2000) and (place := buffer.find(_JPEG_2000_SIZE)) >= 0:
        right, bottom, left, top = struct.unpack_from(">4I", buffer, place + 8)
        return _Header(1, right - left, bottom - top)
    # The size of AVIF is not read: its decoder refuses more than 2^28 pixels. avis is a sequence.
    return _Header(2 if buffer[4:12] == b"ftypavis" else 1)


def _png_header(buffer: bytes) -> _Header:
    width, height = struct.unpack_from(">II", buffer, 16)
    frames = 1
    for kind, start, _ in _png_chunks(buffer):
        if kind == b"IDAT":  # pixels; animation control, which counts the frames, comes before
            break
        if kind == b"acTL":
            (frames,) = struct.unpack_from(">I", buffer, start)
    return _Header(frames, width, height)


def _png_chunks(buffer: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind of each complete chunk, and the offsets at which its content starts and ends."""
    offset = len(PNG_MAGIC)
    while offset + 12 <= len(buffer):
        length, kind = struct.unpack_from(">I4s", buffer, offset)
        end = offset + 8 + length
        if end + 4 > len(buffer):
            return
        yield kind, offset + 8, end
        offset = end + 4


# In entropy-coded data FF is followed by 00 (a literal FF), D0..D7 (restart) or another FF (fill).
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)
_JPEG_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_PADDING = b"\0\r\n \t"
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA


def _jpeg_segments(buffer: bytes) -> Iterator[tuple[int, int]]:
    """Marker of each segment, and the offset of its length (ITU-T T.81, annex B)."""
    offset = 2
    while marker := _JPEG_MARKER.search(buffer, offset):
        yield marker[1][0], marker.end()
        length = int.from_bytes(buffer[marker.end() : marker.end() + 2])
        if length < 2:
            return
        offset = marker.end() + length


def _jpeg_header(buffer: bytes) -> _Header:
    for kind, offset in _jpeg_segments(buffer):
        if kind in _JPEG_FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", buffer, offset + 3)
            return _Header(1, width, height)
    return _Header()


_TIFF_SUBFILE, _TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_COLORS = 254, 256, 257, 262
_TIFF_SHORT, _TIFF_REDUCED, _TIFF_MASK, _TIFF_LAB = 3, 1, 4, (8, 9, 10)
_MOST_PAGES = 64  # followed; a chain of pages may have no end


def _tiff_header(buffer: bytes) -> _Header:
    """Follow the chain of pages; thumbnails (reduced images) and masks do not count."""
    byte_order: Literal["little", "big"] = "little" if buffer.startswith(b"II") else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(buffer[at : at + size], byte_order)

    offset = number(4, 4)
    pages: list[dict[int, int]] = []
    seen: set[int] = set()
    while 0 < offset < len(buffer) and offset not in seen and len(seen) < _MOST_PAGES:
        seen.add(offset)
        end = offset + 2 + 12 * number(offset, 2)  # of the page's entries, 12 bytes each
        tags = {}
        for entry in range(offset + 2, min(end, len(buffer)), 12):
            size = 2 if number(entry + 2, 2) == _TIFF_SHORT else 4
            tags[number(entry, 2)] = number(entry + 8, size)
        if not tags.get(_TIFF_SUBFILE, 0) & (_TIFF_REDUCED | _TIFF_MASK):
            pages.append(tags)
        offset = number(end, 4)
    first = pages[0] if pages else {}
    width, height = first.get(_TIFF_WIDTH, 0), first.get(_TIFF_HEIGHT, 0)
    return _Header(len(pages), width, height, first.get(_TIFF_COLORS) in _TIFF_LAB)


def _gif_frames(buffer: bytes) -> int:
    """Number of images, counted up to the second: a file with more than one is refused."""

    def color_table_size(flags: int) -> int:
        return 3 << ((flags & 7) + 1) if flags & 0x80 else 0

    def skip_blocks(offset: int) -> int:
        while buffer[offset]:
            offset += 1 + buffer[offset]
        return offset + 1

    frames = 0
    offset = 13 + color_table_size(buffer[10])  # after the header and the screen descriptor
    while frames < 2 and offset < len(buffer) and buffer[offset] in b"!,":
        if buffer[offset] == ord("!"):  # an extension
            offset = skip_blocks(offset + 2)
        else:  # an image descriptor
            frames += 1
            offset = skip_blocks(offset + 11 + color_table_size(buffer[offset + 9]))
    return frames


def damage_reason(buffer: bytes) -> str | None:
    """What a JPEG, PNG or WebP file lacks, or None if it is complete."""
    if buffer.startswith(_JPEG_MAGIC) and not _jpeg_ends(buffer):
        return "is truncated: its JPEG data has no end marker"
    if buffer.startswith(PNG_MAGIC):
        return _png_damage(buffer)
    if buffer[:4] + buffer[8:12] == _WEBP_MAGIC:
        declared = int.from_bytes(buffer[4:8], "little") + 8
        if len(buffer) < declared:
            return f"is truncated: {declared} bytes declared, {len(buffer)} there"
    return None


def _jpeg_ends(buffer: bytes) -> bool:
    """Whether the end-of-image marker follows the pixels; a thumbnail has one of its own."""
    if buffer.rstrip(_JPEG_PADDING).endswith(b"\xff\xd9"):
        return True
    in_scan = False
    for kind, _ in _jpeg_segments(buffer):
        if kind == _END_OF_IMAGE:
            return in_scan
        in_scan = in_scan or kind == _START_OF_SCAN
    return False


def _png_damage(buffer: bytes) -> str | None:
    view = memoryview(buffer)
    for kind, start, end in _png_chunks(buffer):
        # Other chunks hold no part of the picture.
        if kind in (b"IHDR", b"PLTE", b"IDAT", b"IEND"):
            checksum = int.from_bytes(view[end : end + 4])
            if zlib.crc32(view[start - 4 : end]) != checksum:
                return f"is damaged: the checksum of its {kind.decode()} chunk is wrong"
        if kind == b"IEND":
            return None
    return "is truncated: its PNG data has no IEND chunk"


_UNREADABLE = {
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"8BPS": "a Photoshop file (PSD)",
    b"%PDF": "PDF",
}
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def unreadable_format(buffer: bytes) -> str | None:
    """Name of a format that OpenCV 5.0 does not read, by the first bytes; else None."""
    if buffer[4:8] == b"ftyp" and buffer[8:12] in _HEIC:
        return "HEIC"
    return next((name for magic, name in _UNREADABLE.items() if buffer.startswith(magic)), None)
