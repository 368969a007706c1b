"""Files that hold several recordings end to end, of which FFmpeg plays the first, or as far as they agree."""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from models.media.decoding.containers import Extent

LINKS_LIMIT = 1_000
"""More than any radio archive joins; the last link takes the rest."""
FIRST_PAGES_LIMIT = 100_000
"""Of streams in an Ogg file, one for each in a link. What lies beyond is not looked at: the last link has it."""
BOXES_LIMIT = 500_000
"""Of an MP4 file, as the same: a day in fragments of a second has four for each."""
SCAN_BYTES = 1024**2
_OGG = b"OggS"
_OGG_BEGINS = b"OggS\0\x02"
_RIFF = (b"RIFF", b"RF64")
_BOX = struct.Struct(">I4s")
_BIG_BOX = struct.Struct(">Q")


def links(file: BinaryIO, size_bytes: int) -> list[Extent]:
    """The recordings of a file, in order; of most files, one."""
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
    """Where first pages of streams follow other pages: streams side by side begin together."""
    begin_ends = 0  # where the pages end that begin the link at hand
    for at in islice(_found(file, _OGG_BEGINS), FIRST_PAGES_LIMIT):
        if at > begin_ends and begin_ends:
            yield at
        begin_ends = _page_end(file, at)


def _page_end(file: BinaryIO, at: int) -> int:
    file.seek(at + 26)
    table = file.read(1 + 255)  # how many segments, and the length of each
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
    """Where a file type follows an index: fragments of one recording share the one at its beginning."""
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
        if size < 8:  # to the end of the file, or nonsense
            return
        at += size
