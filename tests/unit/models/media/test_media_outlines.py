"""What is read from containers without FFmpeg: where links begin, what chunks declare, what lengths promise."""

import io
import struct
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from models.media.decoding.chunks import Outline, read_outline
from models.media.decoding.containers import Extent
from models.media.decoding.declared_length import DeclaredLength, declared_length
from models.media.decoding.links import BOXES_LIMIT, FIRST_PAGES_LIMIT, LINKS_LIMIT, SCAN_BYTES, find_links
from models.media.decoding.tracks import NAME_CHARACTERS, list_tracks


def page(flags: int, payload: bytes = b"x" * 10) -> bytes:
    """One Ogg page."""
    return b"OggS\0" + bytes([flags]) + bytes(20) + bytes([1, len(payload)]) + payload


BEGINS, GOES_ON = page(2), page(0)


def starts(content: bytes) -> list[int]:
    """Where the links of a file begin."""
    found = find_links(io.BytesIO(content), len(content))
    assert [extent.end for extent in found] == [*[extent.start for extent in found[1:]], len(content)]
    return [extent.start for extent in found]


def test_first_pages_side_by_side_are_streams_of_one_recording() -> None:
    """A link begins where a first page follows other pages."""
    content = BEGINS * 2 + GOES_ON * 3
    assert starts(content) == [0]
    assert starts(content * 3) == [0, len(content), 2 * len(content)]
    assert starts(BEGINS + GOES_ON + BEGINS * 2 + GOES_ON) == [0, len(BEGINS + GOES_ON)]


@pytest.mark.parametrize("offset", range(-7, 3))
def test_a_link_is_found_wherever_it_lies(offset: int) -> None:
    """Also across the edge of what is read at once."""
    filled = BEGINS + GOES_ON
    filled += b"-" * (SCAN_BYTES + offset - len(filled))
    assert starts(filled + BEGINS + GOES_ON) == [0, len(filled)]


def test_links_beyond_the_limit_stay_together() -> None:
    """The last takes the rest: nothing is lost, and a hostile file costs no more."""
    content = BEGINS + GOES_ON
    assert len(starts(content * (LINKS_LIMIT + 5))) == LINKS_LIMIT


def riff(size: int, rest: bytes, *, kind: bytes = b"WAVE") -> bytes:
    """Make a RIFF file that declares a size."""
    return b"RIFF" + struct.pack("<I", size) + kind + rest


def test_wave_files_put_end_to_end_are_links() -> None:
    """Each as long as it says, filled to an even byte; what follows without a header belongs to the last."""
    one = riff(4 + 5, b"12345") + b"\0"
    assert starts(one + one) == [0, len(one)]
    assert starts(one + b"TAG" + bytes(20)) == [0]


def box(kind: bytes, payload: bytes = b"", *, wide: bool = False) -> bytes:
    """One box of an MP4 file, its size in four bytes or in eight."""
    if wide:
        return struct.pack(">I4sQ", 1, kind, 16 + len(payload)) + payload
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


@pytest.mark.parametrize("wide", [False, True])
def test_mp4_files_put_end_to_end_are_links(wide: bool) -> None:
    """Fragments that bring a file type of their own share the index before them until another one comes."""
    one = box(b"ftyp", b"isom") + box(b"mdat", b"ftyp" * 9, wide=wide) + box(b"moov", b"12")
    assert starts(one + one) == [0, len(one)]
    assert starts(box(b"ftyp", b"isom") + box(b"ftyp", b"isom") + box(b"moov")) == [0]


class Counted(io.BytesIO):
    """A file that counts how often it is read."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """As ever."""
        self.reads += 1
        return super().read(size)


@pytest.mark.parametrize(
    ("content", "limit"),
    [(b"OggS\0\x02" * 2 * FIRST_PAGES_LIMIT, FIRST_PAGES_LIMIT), (box(b"ftyp") * 2 * BOXES_LIMIT, BOXES_LIMIT)],
    ids=["ogg", "mp4"],
)
def test_a_file_of_nothing_but_beginnings_is_not_read_piece_by_piece(content: bytes, limit: int) -> None:
    """A few megabytes would else keep a decoder busy for minutes before the first sound."""
    file = Counted(content)
    assert find_links(file, len(content)) == [Extent(0, len(content))]
    assert file.reads < limit + 100


def outlined(content: bytes) -> Outline:
    """Read a file's chunks."""
    return read_outline(io.BytesIO(content), Extent(0, len(content)))


def waved(declared_bytes: int, content: bytes) -> bytes:
    """Make a wave file of 1,000 bytes per second, with an odd chunk before its format."""
    form = b"note" + struct.pack("<I", 3) + b"abc\0" + struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 1, 1_000, 1, 8)
    return riff(0, form + b"data" + struct.pack("<I", declared_bytes) + content)


def test_a_wave_file_declares_its_seconds() -> None:
    """By its data's size and its bytes per second; 0 and the largest sizes leave it open."""
    assert outlined(waved(10_000, bytes(10_000))) == Outline(10.0)
    assert outlined(waved(0, bytes(10_000))) == outlined(waved(0x7FFFFFFF, bytes(10_000))) == Outline()
    assert outlined(waved(10_000, bytes(3_000))) == Outline(10.0, is_truncated=True)
    assert outlined(waved(10_000, bytes(10_600))) == Outline(10.0, continues=True)
    assert outlined(waved(10_000, bytes(10_400))) == Outline(10.0)


def test_other_chunked_files_say_when_they_were_is_truncated() -> None:
    """By the size in their header, unless it was never filled in."""
    assert outlined(riff(100_000, bytes(50_000), kind=b"AVI ")).is_truncated
    assert not outlined(riff(50_004, bytes(50_000), kind=b"AVI ")).is_truncated
    assert not outlined(riff(0xFFFFFFFF, bytes(50_000), kind=b"AVI ")).is_truncated
    described = b"caff\0\1\0\0" + struct.pack(">4sq", b"desc", 32) + bytes(32)
    assert outlined(described + struct.pack(">4sq", b"data", 100_000) + bytes(50_000)).is_truncated
    assert not outlined(described + struct.pack(">4sq", b"data", 50_000) + bytes(50_000)).is_truncated
    assert not outlined(described + struct.pack(">4sq", b"data", -1) + bytes(50_000)).is_truncated
    assert not outlined(b"caff\0\1\0\0" + struct.pack(">4sq", b"free", 2**62) + bytes(50)).is_truncated


@dataclass
class Kind:
    """A container's name, as PyAV gives it."""

    name: str


@dataclass
class Stream:
    """What PyAV says of a stream."""

    duration: int | None = None
    start_time: int | None = 0
    time_base: Fraction = Fraction(1, 1_000)
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass
class Container:
    """What PyAV says of a container."""

    format: Kind
    duration: int | None = None
    streams: tuple[object, ...] = (None,)


MATROSKA = "matroska,webm"


@pytest.mark.parametrize(
    ("container", "stream", "expected"),
    [
        (Container(Kind("mov,mp4")), Stream(9_000), DeclaredLength(9.0, True)),
        (Container(Kind("mp3")), Stream(9_000), DeclaredLength(9.0, False)),
        (Container(Kind(MATROSKA), 9 * av.time_base), Stream(), DeclaredLength(9.0, True)),
        (Container(Kind(MATROSKA), 9 * av.time_base, (None, None)), Stream(), DeclaredLength(9.0, False)),
        (
            Container(Kind(MATROSKA), 99 * av.time_base, (None, None)),
            Stream(metadata={"DURATION": "00:00:09.000000000"}),
            DeclaredLength(9.0, True),
        ),
        (
            Container(Kind(MATROSKA), 9 * av.time_base),
            Stream(metadata={"DURATION": "soon"}),
            DeclaredLength(9.0, True),
        ),
        (Container(Kind("flv"), 3_609 * av.time_base), Stream(start_time=3_600_000), DeclaredLength(9.0, True)),
        (Container(Kind("flv"), 9 * av.time_base), Stream(start_time=3_600_000), DeclaredLength(9.0, True)),
        (Container(Kind("mpegts"), 9 * av.time_base), Stream(), DeclaredLength(9.0, False)),
        (Container(Kind("mpegts"), 9_000 * av.time_base), Stream(), DeclaredLength(None, False)),
        (Container(Kind("flac"), 9_000 * av.time_base), Stream(), DeclaredLength(9_000.0, True)),
        (Container(Kind("webm")), Stream(), DeclaredLength(None, False)),
    ],
)
def test_a_length_is_a_promise_where_the_header_states_it(
    container: Container, stream: Stream, expected: DeclaredLength
) -> None:
    """Not where it is another stream's, or an estimate, which is worth nothing once a clock has jumped."""
    assert declared_length(container, stream, size_bytes=100_000) == expected


def test_a_recording_falls_short_of_what_was_promised() -> None:
    """By more than clocks differ; of an estimate nothing falls short."""
    assert DeclaredLength(100.0, True).falls_short(99.0)
    assert not DeclaredLength(100.0, True).falls_short(99.4)
    assert not DeclaredLength(3_600.0, True).falls_short(3_593.0)
    assert not DeclaredLength(100.0, False).falls_short(1.0)
    assert DeclaredLength(1.0, True) + DeclaredLength(2.0, True) == DeclaredLength(3.0, True)
    assert not (DeclaredLength(1.0, True) + DeclaredLength(2.0, False)).is_exact
    assert (DeclaredLength(1.0, True) + DeclaredLength(None, False)).seconds is None


def test_names_of_tracks_are_printable_and_short(tmp_path: Path) -> None:
    """Strangers wrote them: no escape sequence and no novel gets into a transcript."""
    path = tmp_path / "named.mka"
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        stream.metadata["title"] = "\x1b[31mred\x07" + "x" * 500
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 160), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        (track,) = list_tracks(container)
    assert track.title is not None
    assert track.title.startswith("[31mredxxx")
    assert len(track.title) == NAME_CHARACTERS
