"""A job keeps its trace, and what its caller sends along with it, through every record."""

import pytest

from kascribe.documents.event_examples import EXAMPLES
from schemas.events import CancellationEvent
from schemas.kafka.records import Headers, Record
from schemas.kafka.trace import CARRIED_LIMIT_BYTES, Trace
from schemas.kafka.wire import encode, trace_of, with_trace

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def record(*headers: tuple[str, bytes | None]) -> Record:
    """Return a record that carries nothing but headers."""
    return Record("t", 0, 0, None, b"{}", headers)


def sent(source: Record) -> dict[str, bytes | None]:
    """Return the headers of an event that is made of a record."""
    event = CancellationEvent.model_validate(EXAMPLES[CancellationEvent])
    return dict(encode(event, topic="t", key="k", trace=trace_of(source)).headers)


def test_an_event_is_a_span_of_its_records_trace() -> None:
    """The same trace, another span, the caller's decision to sample."""
    headers = sent(record(("traceparent", PARENT.encode())))
    version, trace_id, span_id, flags = (headers["traceparent"] or b"").decode().split("-")
    assert (version, trace_id, flags) == ("00", "0af7651916cd43dd8448eb211c80319c", "01")
    assert span_id != "b7ad6b7169203331"
    assert len(span_id) == 16


def test_what_travels_with_a_trace_goes_from_record_to_event_unchanged() -> None:
    """W3C's tracestate and baggage, and the extension of CloudEvents."""
    travelling: Headers = (
        ("tracestate", b"vendor=a"),
        ("baggage", b"case=17,user=%EA%B0%80"),
        ("ce_traceparent", OTHER.encode()),
        ("ce_tracestate", b"vendor=b"),
    )
    headers = sent(record(("traceparent", PARENT.encode()), *travelling, ("x-own", b"1")))
    assert {name: headers[name] for name, _ in travelling} == dict(travelling)
    assert "x-own" not in headers


def test_the_trace_of_cloudevents_is_continued_where_there_is_no_other() -> None:
    """``traceparent`` wins; without a sound one its tracestate says nothing."""
    other = ("ce_traceparent", OTHER.encode())
    assert trace_of(record(other)).trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert trace_of(record(other, ("traceparent", PARENT.encode()))).trace_id == "0af7651916cd43dd8448eb211c80319c"
    alone = trace_of(record(("traceparent", b"00-0-0-00"), ("tracestate", b"vendor=a"), ("baggage", b"a=1")))
    assert alone.carried == (("baggage", b"a=1"),)


def test_a_value_without_limit_stays_behind() -> None:
    """An event must not grow with its caller's headers."""
    for size, kept in ((CARRIED_LIMIT_BYTES, True), (CARRIED_LIMIT_BYTES + 1, False)):
        assert ("baggage" in sent(record(("baggage", b"x" * size)))) is kept


@pytest.mark.parametrize("header", [(), (("traceparent", None),), (("traceparent", b"00-0-0-00"),)])
def test_a_record_without_a_trace_gets_that_of_its_attempt(header: Headers) -> None:
    """So a notification's dead letter is found by the trace that the log lines name; its own headers stay."""
    trace = Trace.start()
    marked = with_trace(record(*header, ("x-own", b"1")), trace)
    assert marked.headers == (*header, ("x-own", b"1"), ("traceparent", trace.traceparent.encode()))
    assert trace_of(marked).trace_id == trace.trace_id


def test_a_record_with_a_trace_keeps_it() -> None:
    """Dead letters carry the original headers."""
    original = record(("traceparent", PARENT.encode()))
    assert with_trace(original, Trace.start()) is original


def test_a_later_version_of_a_traceparent_is_read_and_a_malformed_one_is_not() -> None:
    """As the recommendation says: more fields may follow in versions above 00, never in 00."""
    assert Trace.parse(PARENT.replace("00-", "01-", 1) + "-more") is not None
    no_trace = "00-" + "0" * 32 + PARENT[35:]
    for malformed in (PARENT + "-more", "ff" + PARENT[2:], PARENT.upper(), no_trace, None, ""):
        assert Trace.parse(malformed) is None
    assert Trace.parse(PARENT[:36] + "0" * 16 + "-01") is None
