"""What an event's text and headers may hold, at the edges."""

from datetime import UTC, datetime

import pytest

from schemas.errors import InvalidEvent
from schemas.events import AudioReference
from schemas.kafka.records import Record
from schemas.kafka.trace import TRACEPARENT, Trace
from schemas.kafka.wire import decode, trace_of, with_trace

REFERENCE = b'{"event_id": "e", "occurred_at": "2026-01-01T00:00:00Z", "uri": "s3://a/b"%b}'


def record(value: bytes, *headers: tuple[str, bytes]) -> Record:
    """As the broker gives it."""
    return Record("audio.references", 0, 7, b"key", value, headers)


def test_an_event_is_read_as_it_is_written_and_nothing_is_guessed() -> None:
    """A text is no number and a number no text: the error names the field."""
    event = decode(record(REFERENCE % b""), AudioReference)
    assert event.occurred_at == datetime(2026, 1, 1, tzinfo=UTC)
    for more in (b', "tenant": 7', b', "options": {"word_timestamps": "yes"}', b', "options": {"beam_size": "3"}'):
        with pytest.raises(Exception, match=r"tenant|word_timestamps|beam_size"):
            decode(record(REFERENCE % more), AudioReference)


def test_a_value_that_is_no_object_is_named_as_the_value() -> None:
    """There is no field to name."""
    with pytest.raises(InvalidEvent, match="value: "):
        decode(record(b"[]"), AudioReference)


def test_a_trace_that_is_no_text_begins_a_new_one() -> None:
    """A header of other bytes fails nothing."""
    assert len(trace_of(record(b"{}", (TRACEPARENT, b"\xff\xfe"))).trace_id) == 32


@pytest.mark.parametrize("header", [b"\xff\xfe", b"", b"00-1"])
def test_a_record_whose_trace_is_not_sound_gets_the_attempt_s(header: bytes) -> None:
    """Its own stays beside it; the last of two headers of one name is the one that counts."""
    trace = Trace("0" * 31 + "1", "1" * 16)
    given = with_trace(record(b"{}", (TRACEPARENT, header)), trace)
    assert given.headers == ((TRACEPARENT, header), (TRACEPARENT, trace.traceparent.encode()))
    assert with_trace(given, Trace("2" * 32, "3" * 16)) == given
