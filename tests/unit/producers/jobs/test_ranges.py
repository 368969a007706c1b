"""Which bytes a request wants."""

from datetime import UTC, datetime
from typing import Final

import pytest

from producers.gateway.jobs.audio import disposition, is_known, played_type
from producers.gateway.jobs.ranges import ByteRange, Unsatisfiable, is_same, range_in
from producers.recordings import Recording
from schemas.object_addresses import ObjectAddress

SIZE: Final = 1000
RECORDING: Final = Recording(
    address=ObjectAddress("audio", "uploads/1/call.wav"),
    version_id=None,
    etag='"abc"',
    size_bytes=SIZE,
    content_type="audio/wav",
    modified_at=datetime(2026, 11, 27, 10, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-99", (0, 99)),
        ("bytes=900-", (900, 999)),
        ("bytes=-100", (900, 999)),
        ("bytes=-5000", (0, 999)),
        ("bytes=0-5000", (0, 999)),
        ("bytes=999-999", (999, 999)),
        ("BYTES= 5-6 ", (5, 6)),
    ],
)
def test_a_range_names_the_bytes_that_are_there(header: str, wanted: tuple[int, int]) -> None:
    """RFC 9110, section 14.1.2: both ends included, cut at the end, or counted from it."""
    found = range_in(header, SIZE)
    assert found == ByteRange(*wanted)
    assert found is not None
    assert found.length == wanted[1] - wanted[0] + 1


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes=",
        "bytes=-",
        "bytes=9-5",
        "bytes=a-b",
        "seconds=0-1",
        "bytes=0-1,5-6",
        "bytes=0-1;",
        "bytes=--1",
    ],
)
def test_what_is_no_single_range_asks_for_the_whole(header: str | None) -> None:
    """RFC 9110, section 14.2: invalid and unknown ones are ignored, and a server may ignore several."""
    assert range_in(header, SIZE) is None


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-2000", "bytes=-0", f"bytes={10**17}-"])
def test_a_range_behind_the_end_cannot_be_satisfied(header: str) -> None:
    """RFC 9110, section 15.5.17."""
    with pytest.raises(Unsatisfiable):
        range_in(header, SIZE)


def test_no_range_of_an_empty_recording_can_be_satisfied() -> None:
    """There is no byte that it could begin with."""
    for header in ("bytes=0-", "bytes=-5"):
        with pytest.raises(Unsatisfiable):
            range_in(header, 0)


@pytest.mark.parametrize(
    ("if_range", "same"),
    [
        (None, True),
        ('"abc"', True),
        ("Fri, 27 Nov 2026 10:00:00 GMT", True),
        ('W/"abc"', False),
        ('"other"', False),
        ("Fri, 27 Nov 2026 10:00:01 GMT", False),
    ],
)
def test_a_range_is_of_the_same_recording_or_the_whole_is_sent(if_range: str | None, same: bool) -> None:
    """RFC 9110, section 13.1.5: the strong tag or the very date; a weak tag never matches."""
    assert is_same(if_range, RECORDING) is same


def test_a_known_recording_is_not_sent_again() -> None:
    """Tags are compared weakly; the star is any."""
    assert is_known('"x", W/"abc"', '"abc"')
    assert is_known("*", '"abc"')
    assert not is_known("", '"abc"')


@pytest.mark.parametrize(
    ("stored", "answered"),
    [
        ("audio/mpeg", "audio/mpeg"),
        ("Audio/X-WAV; charset=utf-8", "audio/x-wav"),
        ("video/mp4", "video/mp4"),
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("audio/", "application/octet-stream"),
        ("audio/wav\r\nX: y", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_only_sound_and_film_keep_their_type(stored: str, answered: str) -> None:
    """The type is the client's own word at its upload; a page that calls itself one is bytes here."""
    assert played_type(stored) == answered


def test_a_files_name_survives_in_every_script() -> None:
    """RFC 6266: an ASCII fallback without quotation marks, and the name itself in UTF-8."""
    assert disposition('통화 "1".wav') == (
        "inline; filename=\"__ _1_.wav\"; filename*=UTF-8''%ED%86%B5%ED%99%94%20%221%22.wav"
    )
