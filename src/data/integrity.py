"""Does an image file reach its end? Decoders fill what is missing with grey and say nothing."""

import re

__all__ = ["missing_end"]

_PNG_END = b"IEND\xaeB`\x82"
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


def missing_end(buffer: bytes) -> str | None:
    """What the end of an image file lacks, or None where it is complete.

    JPEG needs its end-of-image marker (padding or an appended file may follow), PNG its IEND
    chunk, WebP the length it declares. Other formats are left to the decoder.
    """
    if buffer[:2] == b"\xff\xd8" and not _jpeg_ends(buffer):
        return "its JPEG data has no end marker"
    if buffer[:8] == b"\x89PNG\r\n\x1a\n" and _PNG_END not in buffer:
        return "its PNG data has no IEND chunk"
    if buffer[:4] == b"RIFF" and buffer[8:12] == b"WEBP":
        declared = int.from_bytes(buffer[4:8], "little") + 8
        if len(buffer) < declared:
            return f"{declared} bytes declared, {len(buffer)} there"
    return None
