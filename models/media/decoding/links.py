"""Files that hold several recordings end to end (links).

FFmpeg plays the first recording of such a file, or continues as long as the formats agree.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, Final

from models.media.decoding.containers import Extent

LINKS_LIMIT: Final = 1_000
"""More than any radio archive joins; the last link includes the rest."""
FIRST_PAGES_LIMIT: Final = 100_000
"""First pages examined in an Ogg file; each stream of a link has one. The last link includes what lies beyond."""
BOXES_LIMIT: Final = 500_000
"""Boxes examined in an MP4 file, likewise: a day in fragments of a second has four per fragment."""
SCAN_BYTES: Final = 1024**2
_OGG_BEGINS: Final = b"OggS\0\x02"
_RIFF: Final = (b"RIFF", b"RF64")
_BOX: Final = struct.Struct(">I4s")
_BIG_BOX: Final = struct.Struct(">Q")


def find_links(file: BinaryIO, size_bytes: int) -> list[Extent]:
    """Return the recordings of a file, in order; most files have one."""
    file.seek(0)
    head = file.read(12)
    starts: Iterator[int] = iter(())
    if head.startswith(_OGG_BEGINS):
        starts = _ogg_links(file)
    elif head[:4] in _RIFF and head[8:] == b"WAVE":
        starts = _riff_links(file, size_bytes)
    elif head[4:8] == b"ftyp":
        starts = _mp4_links(file, size_bytes)
    edges = [0]
    for start in starts:
        edges.append(start)
        if len(edges) == LINKS_LIMIT:
            break
    return [Extent(start, end) for start, end in zip(edges, [*edges[1:], size_bytes], strict=True)]


def _ogg_links(file: BinaryIO) -> Iterator[int]:
    """Yield positions where first pages follow other pages: the streams of one link begin together."""
    begin_ends = 0  # end of the first pages of the current link
    for at in islice(_found(file, _OGG_BEGINS), FIRST_PAGES_LIMIT):
        if at > begin_ends and begin_ends:
            yield at
        begin_ends = _page_end(file, at)


def _page_end(file: BinaryIO, at: int) -> int:
    file.seek(at + 26)
    table = file.read(1 + 255)  # number of segments, and the length of each
    count = table[0] if table else 0
    return at + 27 + count + sum(table[1 : 1 + count])


def _found(file: BinaryIO, pattern: bytes) -> Iterator[int]:
    at = 0
    held = b""
    while True:
        file.seek(at + len(held))
        block = file.read(SCAN_BYTES)
        if not block:
            return
        held += block
        place = held.find(pattern)
        while place >= 0:
            yield at + place
            place = held.find(pattern, place + 1)
        kept = len(pattern) - 1
        at += len(held) - kept
        held = held[-kept:]


def _riff_links(file: BinaryIO, size_bytes: int) -> Iterator[int]:
    at = 0
    while at + 12 <= size_bytes:
        file.seek(at)
        head = file.read(12)
        if head[:4] not in _RIFF or head[8:] != b"WAVE":
            return
        if at:
            yield at
        size = struct.unpack("<I", head[4:8])[0]
        at += 8 + size + size % 2


def _mp4_links(file: BinaryIO, size_bytes: int) -> Iterator[int]:
    """Yield positions where a file type box follows an index: the fragments of one recording share its index."""
    at = 0
    indexed = False
    for _ in range(BOXES_LIMIT):
        if at + 8 > size_bytes:
            return
        file.seek(at)
        size, kind = _BOX.unpack(file.read(8))
        if size == 1:
            size = _BIG_BOX.unpack(file.read(8).ljust(8, b"\0"))[0]
        if kind == b"ftyp" and indexed:
            yield at
            indexed = False
        indexed = indexed or kind == b"moov"
        if size < 8:  # 0 means to the end of the file; other values are invalid
            return
        at += size
