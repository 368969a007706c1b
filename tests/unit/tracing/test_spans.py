"""Spans: what begins one, what it holds, and what leaves no span."""

import threading
from collections.abc import Mapping
from contextvars import copy_context

import pytest

from schemas.errors import AudioNotFound, JobCancelled
from schemas.kafka.trace import Trace
from schemas.monitoring.active_span import EVENTS_LIMIT, NO_SPAN, ActiveSpan
from schemas.monitoring.spans import SpanKind
from schemas.monitoring.tracing import Tracer, current_span, entered, span
from tests.support.clock import HandClock
from tests.unit.tracing.span_list import SpanList, assert_within

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


class Traced:
    """A tracer with a clock and a sink that tests can read."""

    def __init__(self, *, sample_ratio: float = 1.0) -> None:
        self.clock = HandClock()
        self.clock.seconds = 100.0
        self.sink = SpanList()
        self.tracer = Tracer(self.sink, sample_ratio=sample_ratio, clock=self.clock)

    def trace(self, headers: Mapping[str, str]) -> Trace:
        """Return the trace of a record or request with these headers."""
        return self.tracer.continue_from(lambda name: headers[name].encode() if name in headers else None)

    def begin(self, headers: Mapping[str, str] | None = None, *, started_ms: int | None = None) -> ActiveSpan:
        """Begin a span that is recorded."""
        trace = self.trace(headers or {})
        active = self.tracer.begin(trace, "work", kind=SpanKind.CONSUMER, started_ms=started_ms)
        assert active is not None
        return active


def test_steps_lie_within_their_parent_and_begin_where_they_are_told() -> None:
    """Times are of one clock: a step that begins later ends no later than what it is part of."""
    traced = Traced()
    work = traced.begin(started_ms=90_000)
    work.child("queue", from_start=True).end()
    with entered(work), span("fetch") as fetch:
        traced.clock.seconds += 2
        fetch.set({"size": 3})
        with span("hash", kind=SpanKind.CLIENT):
            traced.clock.seconds += 1
    work.end()
    root, sink = traced.sink.one("work"), traced.sink
    assert [sink.children(root), sink.children(sink.one("fetch"))] == [["queue", "fetch"], ["hash"]]
    assert root.started_ns == 90_000_000_000
    assert [s.ended_ns - s.started_ns for s in (sink.one("queue"), sink.one("hash"))] == [
        10_000_000_000,
        1_000_000_000,
    ]
    for inner, outer in (("queue", "work"), ("fetch", "work"), ("hash", "fetch")):
        assert_within(sink.one(inner), sink.one(outer))
    assert sink.one("fetch").attributes == {"size": 3}
    assert {each.trace_id for each in sink.spans} == {root.trace_id}


def test_a_trace_that_arrives_is_continued_and_its_senders_span_is_the_parent() -> None:
    """The sender's tool then shows both sides as one trace."""
    traced = Traced()
    traced.begin({"traceparent": PARENT}).end()
    root = traced.sink.one("work")
    assert (root.trace_id, root.parent_id) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


def test_a_clock_that_is_ahead_elsewhere_does_not_begin_a_span_in_the_future() -> None:
    """A record's time is its producer's."""
    traced = Traced()
    traced.begin(started_ms=10**9).end()
    assert traced.sink.one("work").started_ns == 100_000_000_000


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_a_share_of_new_traces_is_kept_and_every_process_keeps_the_same(ratio: float) -> None:
    """The decision follows from the trace's id, and travels in the flags."""
    here, elsewhere = Traced(sample_ratio=ratio), Traced(sample_ratio=ratio)
    traces = [here.tracer.start() for _ in range(2_000)]
    kept = sum(trace.is_sampled for trace in traces)
    assert abs(kept - 2_000 * ratio) < 120
    for trace in traces:
        begun = elsewhere.tracer.begin(trace, "work", kind=SpanKind.INTERNAL)
        assert (begun is not None) == trace.is_sampled


def test_a_sampling_decision_that_arrives_is_respected() -> None:
    """Neither does a ratio of 0 drop what the caller keeps, nor one of 1 keep what the caller dropped."""
    none, all_of_them = Traced(sample_ratio=0.0), Traced(sample_ratio=1.0)
    none.begin({"traceparent": PARENT}).end()
    assert len(none.sink.spans) == 1
    trace = all_of_them.trace({"traceparent": UNSAMPLED})
    assert all_of_them.tracer.begin(trace, "work", kind=SpanKind.INTERNAL) is None
    assert trace.traceparent.endswith("-00")


def test_without_a_span_steps_cost_nothing_and_change_nothing() -> None:
    """Tracing is off by default: a step has to work all the same."""
    assert current_span() is None
    with span("fetch") as step:
        step.set({"size": 1})
        step.event("part")
        step.rename("other")
        step.discard()
        assert (step.is_recorded, step.traceparent) == (False, None)
        assert current_span() is None
    assert span("anything") is NO_SPAN


def test_an_error_is_named_by_its_reason_and_never_quoted() -> None:
    """Messages may hold an address or a text that must not leave the process."""
    traced = Traced()
    work = traced.begin()
    with entered(work):
        for name, error in {
            "known": AudioNotFound("s3://audio/secret name is not there"),
            "defect": ValueError("secret"),
            "cancelled": JobCancelled("secret"),
        }.items():
            with pytest.raises(type(error)), span(name):
                raise error
    sink = traced.sink
    assert (sink.one("known").error, sink.one("known").attributes) == (
        "audio_not_found",
        {"error.type": "audio_not_found"},
    )
    assert sink.one("defect").error == "ValueError"
    assert sink.one("cancelled").error is None
    assert [event.name for event in sink.one("cancelled").events] == ["cancelled"]
    assert "secret" not in repr(sink.spans)


def test_a_span_has_a_limited_number_of_events() -> None:
    """A file of hours has more batches than any tool shows."""
    traced = Traced()
    work = traced.begin()
    for number in range(EVENTS_LIMIT + 5):
        work.event("batch", {"number": number})
    work.end()
    root = traced.sink.one("work")
    assert (len(root.events), root.attributes["kascribe.events_dropped"]) == (EVENTS_LIMIT, 5)


def test_what_turned_out_to_be_nothing_leaves_no_span() -> None:
    """A role that reads a topic for one record in a hundred would fill the traces with the others."""
    traced = Traced()
    work = traced.begin()
    with entered(work), span("step") as step:
        step.discard()
    work.end()
    assert traced.sink.spans == []


def test_a_span_ends_once() -> None:
    """Whatever path leads to its end."""
    traced = Traced()
    work = traced.begin()
    work.end()
    work.end()
    assert len(traced.sink.spans) == 1


def test_a_thread_that_takes_its_callers_context_works_within_the_callers_span() -> None:
    """The enricher's event loop runs in a thread of its own."""
    traced = Traced()
    work = traced.begin()

    def elsewhere() -> None:
        with span("request"):
            pass

    with entered(work):
        context = copy_context()
    thread = threading.Thread(target=lambda: context.run(elsewhere))
    thread.start()
    thread.join()
    work.end()
    assert traced.sink.children(traced.sink.one("work")) == ["request"]
