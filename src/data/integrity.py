"""Is an image file whole? Decoders fill what is missing with grey and say nothing."""

import re
import zlib
from collections.abc import Iterator

__all__ = ["damage"]

_PNG = b"\x89PNG\r\n\x1a\n"
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
    content, place = memoryview(buffer), len(_PNG)
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


def damage(buffer: bytes) -> str | None:
    """What an image file lacks, or None where it is complete.

    JPEG needs its end-of-image marker (padding or an appended file may follow), PNG its IEND
    chunk and right checksums, WebP the length it declares. Other formats are left to the decoder.
    """
    if buffer[:2] == b"\xff\xd8" and not _jpeg_ends(buffer):
        return "is truncated: its JPEG data has no end marker"
    if buffer.startswith(_PNG):
        return _png_damage(buffer)
    if buffer[:4] == b"RIFF" and buffer[8:12] == b"WEBP":
        declared = int.from_bytes(buffer[4:8], "little") + 8
        if len(buffer) < declared:
            return f"is truncated: {declared} bytes declared, {len(buffer)} there"
    return None
