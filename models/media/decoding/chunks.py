"""Declared sizes of RIFF, Wave64 and CAF files, which FFmpeg does not report."""

import struct
from dataclasses import dataclass
from typing import BinaryIO, Final

from models.media.decoding.containers import Extent

UNKNOWN_BYTES: Final = 0x7FFF_0000
"""A 4-byte size of this or more was written before the end was known."""
CHUNKS_LIMIT: Final = 1_000
BEYOND_SECONDS: Final = 0.5
"""Length from which bytes after the last chunk count as audio; less is padding, or a tag at the end."""
MISSING_BYTES: Final = 4_096
"""Bytes that may be missing at the end of a complete file: writers disagree about padding."""
_FORM: Final = struct.Struct("<4sI4s")
_CHUNK: Final = struct.Struct("<4sI")
_WAVE64: Final = bytes.fromhex("726966662e91cf11a5d628db04c10000")


@dataclass(frozen=True, slots=True)
class Outline:
    """What a header declares. ``declared_seconds`` is None where it leaves the length open or cannot be parsed.

    ``continues``: audio follows the declared end. ``is_truncated``: the file ends before the declared end.
    """

    declared_seconds: float | None = None
    continues: bool = False
    is_truncated: bool = False


def read_outline(file: BinaryIO, extent: Extent) -> Outline:
    """Read the outline of a RIFF, Wave64 or CAF file; empty for any other kind of file."""
    head = _at(file, extent, 0, 24)
    if len(head) < 24:
        return Outline()
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return _wave(file, extent)
    if head[:4] == b"RIFF":
        size = _FORM.unpack_from(head)[1]
        return Outline(is_truncated=size < UNKNOWN_BYTES and _is_cut(extent, _CHUNK.size + size))
    if head[:16] == _WAVE64:
        return Outline(is_truncated=_is_cut(extent, struct.unpack_from("<q", head, 16)[0]))
    if head[:4] == b"caff":
        return Outline(is_truncated=_caf_is_cut(file, extent))
    return Outline()


def _is_cut(extent: Extent, declared_bytes: int) -> bool:
    return declared_bytes - extent.size_bytes > MISSING_BYTES


def _wave(file: BinaryIO, extent: Extent) -> Outline:
    bytes_per_second = data_bytes = data_end = 0
    at = _FORM.size
    for _ in range(CHUNKS_LIMIT):
        head = _at(file, extent, at, _CHUNK.size)
        if len(head) < _CHUNK.size:
            break
        name, size = _CHUNK.unpack(head)
        if data_end and not _is_chunk(name, size, extent.size_bytes - at):
            break
        if name == b"fmt ":
            bytes_per_second = struct.unpack("<I", _at(file, extent, at + 16, 4).ljust(4, b"\0"))[0]
        at += _CHUNK.size + size + size % 2
        if name == b"data":
            data_bytes, data_end = size, at
    if not bytes_per_second or not data_bytes or data_bytes >= UNKNOWN_BYTES:
        return Outline()
    return Outline(
        data_bytes / bytes_per_second,
        continues=extent.size_bytes - at > BEYOND_SECONDS * bytes_per_second,
        is_truncated=_is_cut(extent, data_end),
    )


def _is_chunk(name: bytes, size: int, left: int) -> bool:
    return all(0x20 <= letter < 0x7F for letter in name) and _CHUNK.size + size <= left + 1


def _caf_is_cut(file: BinaryIO, extent: Extent) -> bool:
    at = 8
    for _ in range(CHUNKS_LIMIT):
        head = _at(file, extent, at, 12)
        if len(head) < 12:
            return False
        name, size = struct.unpack(">4sq", head)
        if name == b"data" or size < 0:
            return _is_cut(extent, at + 12 + size)
        at += 12 + size
    return False


def _at(file: BinaryIO, extent: Extent, offset: int, size: int) -> bytes:
    if offset >= extent.size_bytes:  # a broken header may point anywhere, even beyond the largest possible file
        return b""
    file.seek(extent.start + offset)
    return file.read(min(size, extent.size_bytes - offset))
