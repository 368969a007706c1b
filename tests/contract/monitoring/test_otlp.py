"""What a collector receives: OTLP over HTTP, as OpenTelemetry's own schema reads it."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from pydantic import SecretStr

from consumers.metrics import new_instruments
from kascribe.process.tracing.otlp import OtlpExporter
from kascribe.process.tracing.span_queue import TRACING_METRICS, ExportFailed
from kascribe.process.tracing.tracer import opened_tracer
from schemas.errors import AudioNotFound
from schemas.kafka.trace import Trace
from schemas.monitoring.spans import Span, SpanKind
from schemas.monitoring.tracing import entered, span
from schemas.settings.tracing import TracingSettings

PARENT = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
SPAN = Span(
    name="s", kind=SpanKind.INTERNAL, trace_id="1" * 32, span_id="1" * 16, parent_id=None, started_ns=1, ended_ns=2
)


class Receiver:
    """An OTLP receiver that keeps what it gets, and answers with a status of the test's choice."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: list[dict[str, str]] = []
        self.requests: list[ExportTraceServiceRequest] = []
        self.paths: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
                receiver.paths.append(self.path)
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                receiver.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on loopback."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Return a receiver that accepts everything."""
    with receiving() as started:
        yield started


def values(attributes: Any) -> dict[str, Any]:
    """Return attributes as Python's values."""

    def value_of(pair: KeyValue) -> Any:
        kind = pair.value.WhichOneof("value")
        if kind == "array_value":
            return tuple(each.string_value for each in pair.value.array_value.values)
        return getattr(pair.value, str(kind))

    return {pair.key: value_of(pair) for pair in attributes}


def test_a_trace_arrives_with_its_parents_links_events_and_error(receiver: Receiver) -> None:
    """A collector reads it as any other program's, and can tell which process sent it."""
    settings = TracingSettings(endpoint_url=receiver.url, headers=SecretStr("Authorization=Bearer%20token"))
    with opened_tracer(settings, new_instruments(TRACING_METRICS), role="transcriber") as tracer:
        assert tracer is not None
        trace = tracer.continue_from(lambda name: PARENT.traceparent.encode() if name == "traceparent" else None)
        work = tracer.begin(trace, "process t", kind=SpanKind.CONSUMER, attributes={"n": 7, "names": ("a", "b")})
        assert work is not None
        work.link(PARENT)
        work.event("batch", {"rows": 3})
        with entered(work), pytest.raises(AudioNotFound), span("fetch", kind=SpanKind.CLIENT):
            raise AudioNotFound("secret")
        work.end()
    (request,), (headers,) = receiver.requests, receiver.headers
    assert (receiver.paths, headers["authorization"]) == (["/v1/traces"], "Bearer token")
    (resource,) = request.resource_spans
    process = values(resource.resource.attributes)
    assert {"service.name": "kascribe-transcriber", "service.namespace": "kascribe"}.items() <= process.items()
    assert {"service.version", "service.instance.id"} <= process.keys()
    fetch, root = resource.scope_spans[0].spans
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (PARENT.trace_id, PARENT.span_id)
    assert (fetch.trace_id, fetch.parent_span_id) == (root.trace_id, root.span_id)
    assert (root.kind, fetch.kind) == (WireSpan.SPAN_KIND_CONSUMER, WireSpan.SPAN_KIND_CLIENT)
    assert values(root.attributes) == {"n": 7, "names": ("a", "b")}
    assert [(event.name, values(event.attributes)) for event in root.events] == [("batch", {"rows": 3})]
    assert [link.span_id.hex() for link in root.links] == [PARENT.span_id]
    assert (fetch.status.code, values(fetch.attributes)) == (
        Status.STATUS_CODE_ERROR,
        {"error.type": "audio_not_found"},
    )
    assert b"secret" not in request.SerializeToString()


@pytest.mark.parametrize(("status", "said"), [(401, "401"), (404, "404")])
def test_a_refusal_says_what_to_look_at(receiver: Receiver, status: int, said: str) -> None:
    """The log line is all that a user sees of a wrong address or token."""
    receiver.status = status
    exporter = OtlpExporter(TracingSettings(endpoint_url=receiver.url), role="archive")
    with pytest.raises(ExportFailed, match=said) as failed:
        exporter.export([SPAN])
    assert "KASCRIBE_TRACING_ENDPOINT_URL" in str(failed.value)
    exporter.close()


def test_an_absent_collector_costs_no_more_than_the_timeout() -> None:
    """The library repeats an export, and the timeout limits all of it."""
    with receiving() as gone:
        address = gone.url
    exporter = OtlpExporter(TracingSettings(endpoint_url=address, timeout_seconds=0.2), role="archive")
    with pytest.raises(ExportFailed, match="4318"):
        exporter.export([SPAN])
    exporter.close()


def test_neither_proxies_nor_netrc_of_the_environment_are_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process talks to the servers that its settings name, and to no others."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    exporter = OtlpExporter(TracingSettings(endpoint_url=receiver.url), role="archive")
    exporter.export([SPAN])
    exporter.close()
    assert len(receiver.requests) == 1
