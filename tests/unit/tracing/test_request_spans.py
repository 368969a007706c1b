"""The span of an HTTP request, and of a submission: where a job's trace begins."""

import asyncio
from dataclasses import dataclass, field

import httpx
from fastapi import FastAPI

from kascribe.submission.submitter import SubmissionRequest, Submitter
from producers.gateway.monitoring.tracing import TraceMiddleware
from schemas.clock import SystemClock
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.monitoring.spans import SpanKind
from schemas.monitoring.tracing import Tracer, span
from tests.unit.tracing.span_list import SpanList, assert_within

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def tracer_into(sink: SpanList) -> Tracer:
    """Return a tracer that keeps every new trace."""
    return Tracer(sink, sample_ratio=1.0, clock=SystemClock())


def requested(sink: SpanList, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """Send one request to an application of three routes."""
    app = FastAPI()
    app.add_middleware(TraceMiddleware, tracer=tracer_into(sink))

    @app.get("/jobs/{job_id}")
    async def job(job_id: str) -> str:
        with span("upload"):
            return job_id

    @app.get("/health")
    async def health() -> str:
        return "well"

    @app.get("/broken")
    async def broken() -> str:
        raise ZeroDivisionError("secret")

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(send())


def test_a_request_continues_its_clients_trace_under_its_route() -> None:
    """The path may name a person's file, and the query may hold a signature: neither is told."""
    sink = SpanList()
    answer = requested(sink, "/jobs/call%2017?X-Amz-Signature=secret", {"traceparent": PARENT})
    request, upload = sink.one("GET /jobs/{job_id}"), sink.one("upload")
    assert (request.trace_id, request.parent_id) == (PARENT.split("-")[1], PARENT.split("-")[2])
    assert request.kind is SpanKind.SERVER
    wanted = {
        "http.request.method": "GET",
        "http.route": "/jobs/{job_id}",
        "http.response.status_code": 200,
        "kascribe.job_id": "call 17",
    }
    assert wanted.items() <= request.attributes.items()
    assert answer.headers["x-trace-id"] == request.trace_id
    assert_within(upload, request)
    assert "secret" not in repr(sink.spans)


def test_a_defect_is_a_failed_request_and_its_text_is_not_told() -> None:
    """The log has it."""
    sink = SpanList()
    assert requested(sink, "/broken").status_code == 500
    assert (sink.one("GET /broken").error, "secret" in repr(sink.spans)) == ("500", False)


def test_probes_leave_no_span() -> None:
    """A balancer sends one a second."""
    sink = SpanList()
    assert requested(sink, "/health").status_code == 200
    assert sink.spans == []


@dataclass
class Published:
    """A publisher that keeps what it is given."""

    records: list[OutgoingRecord] = field(default_factory=list)

    def publish(self, records: list[OutgoingRecord]) -> None:
        """Keep the records."""
        self.records += records


def test_a_submission_is_the_first_span_of_its_jobs_trace() -> None:
    """The transcriber's record is below it."""
    sink, publisher = SpanList(), Published()
    submitter = Submitter(None, publisher, Topics(""), tracer=tracer_into(sink))  # type: ignore[arg-type]
    job = submitter.submit("s3://audio/call.wav", SubmissionRequest())
    submit = sink.one("submit")
    (record,) = publisher.records
    assert sink.children(submit) == ["upload", "publish audio.references"]
    assert dict(record.headers)["traceparent"] == Trace(submit.trace_id, submit.span_id).traceparent.encode()
    assert (submit.parent_id, submit.attributes["kascribe.job_id"]) == (None, job.job_id)
