"""What a form asks for, and how failures are said, without a server."""

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from producers.gateway.failures import STATUS_BY_REASON, RequestRefused, refusal
from producers.gateway.forms.requests import enrich_options, transcribe_options, upload_in
from producers.gateway.interactive.answers import GatewayStopping, JobFailed, PendingAnswers, TooManyWaiting
from producers.gateway.interactive.job_request import EnrichmentTimeout, JobRequest, KeyReused, TranscriptTimeout
from producers.gateway.monitoring.dependencies import Dependencies
from producers.gateway.routes.answers import processed
from schemas.errors import DependencyDown, Reason
from schemas.events import (
    CancellationEvent,
    EnrichmentEvent,
    EnrichmentResult,
    EnrichmentStatus,
    Failure,
    Phase,
    ProgressEvent,
)
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from schemas.kafka.trace import Trace
from schemas.options import TranscribeOptions
from schemas.transcripts.transcript import TokenUsage
from tests.support.clock import HandClock

NOBODY = Request({"type": "http"})
TOPICS = Topics()
ASKED = JobRequest("a.wav", None, "k", True, TranscribeOptions(), None, "t", Trace("0" * 32, "1" * 16))
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def said(error: Exception) -> tuple[int, str]:
    """Status and reason of the answer that an error becomes."""
    answer = asyncio.run(refusal(NOBODY, error))
    body = json.loads(bytes(answer.body))
    assert {"success", "error"} <= body.keys()
    assert body["success"] is False
    assert body["error"]["message"]
    return answer.status_code, body["error"]["reason"]


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_status(reason: Reason) -> None:
    """Whatever a job is dead-lettered for, the gateway can say it, as an error."""
    status, said_reason = said(JobFailed(Failure(reason=reason, message="why", attempt=1)))
    assert said_reason == reason.value
    assert status == STATUS_BY_REASON[reason] >= 400


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (TooManyWaiting(), 503, "crowded"),
        (GatewayStopping(), 503, "stopping"),
        (KeyReused(), 422, "idempotency_key_reused"),
        (TranscriptTimeout(ASKED, "late"), 504, "answer_timeout"),
        (EnrichmentTimeout(ASKED, "late"), 504, "enrichment_timeout"),
        (DependencyDown("kafka", "no broker"), 503, "dependency_down"),
        (ZeroDivisionError(), 500, "internal_error"),
    ],
)
def test_what_the_gateway_raises_has_a_status(error: Exception, status: int, reason: str) -> None:
    """One body for all; a mistake of ours says nothing about itself."""
    assert said(error) == (status, reason)


def test_an_empty_field_is_as_good_as_none() -> None:
    """Forms in browsers send every field."""
    assert transcribe_options(FormData([("language", ""), ("beam_size", "")])) == TranscribeOptions()


def test_processing_asks_for_something() -> None:
    """Profiles, an instruction or both; neither is refused."""
    asked = enrich_options(FormData([("profiles", "summary,topics"), ("answer_language", "ko")]))
    assert (asked.profiles, asked.language) == (("summary", "topics"), "ko")
    with pytest.raises(RequestRefused, match="instruction"):
        enrich_options(FormData([("instruction", "")]))


def test_a_form_without_a_file_is_refused_with_how_to_send_one() -> None:
    """No field of that name, a text of that name, and a file without bytes."""
    for form in (FormData(), FormData([("file", "text")])):
        with pytest.raises(RequestRefused, match="curl -F"):
            upload_in(form, limit_bytes=1)
    with pytest.raises(RequestRefused, match="no bytes"):
        upload_in(FormData([("file", UploadFile(io.BytesIO(), size=0))]), limit_bytes=1)


def test_two_files_in_one_request_are_refused() -> None:
    """Whichever were taken, somebody would get an answer to something else."""
    file = UploadFile(io.BytesIO(b"x"), size=1)
    with pytest.raises(RequestRefused, match="2 fields") as refused:
        upload_in(FormData([("file", file), ("file", file)]), limit_bytes=1)
    assert (refused.value.status, refused.value.reason) == (400, "several_files")


@pytest.mark.parametrize(
    ("size_bytes", "reason"), [(0, "audio_empty"), (1, None), (8, None), (9, "audio_too_large")]
)
def test_a_file_may_be_as_large_as_the_limit_and_not_empty(size_bytes: int, reason: str | None) -> None:
    """One byte decides on both sides."""
    form = FormData([("file", UploadFile(io.BytesIO(b"x" * size_bytes), size=size_bytes))])
    if reason is None:
        assert upload_in(form, limit_bytes=8).size == size_bytes
        return
    with pytest.raises(RequestRefused) as refused:
        upload_in(form, limit_bytes=8)
    assert refused.value.reason == reason


def test_a_profile_that_failed_beside_others_says_why() -> None:
    """The others' answers are given; of the one that is missing the reason stands in ``failures``."""
    failure = Failure(reason=Reason.ENRICHMENT_INVALID, message="no such shape", attempt=1)
    event = EnrichmentEvent(
        event_id="e",
        occurred_at=NOW,
        job_id="j",
        transcript_uri="s3://audio/t.json",
        model="m",
        results=(
            EnrichmentResult(
                profile="title",
                profile_version="1",
                status=EnrichmentStatus.COMPLETED,
                output="A",
                coverage=0.5,
                truncated=True,
                finish_reasons=("length",),
            ),
            EnrichmentResult(
                profile="topics", profile_version="1", status=EnrichmentStatus.INVALID, failure=failure, coverage=1
            ),
        ),
        results_uri="s3://audio/e.json",
        usage=TokenUsage(),
        total_seconds=1.0,
    )
    assert processed(event) == {
        "processed_text": None,
        "profiles": {"title": "A", "topics": None},
        "failures": {"topics": {"reason": "enrichment_invalid", "message": "no such shape"}},
        "truncated": True,
        "coverage": 0.5,
        "details": {
            "title": {"truncated": True, "coverage": 0.5, "finish_reasons": ["length"], "doubts": []},
            "topics": {"truncated": False, "coverage": 1, "finish_reasons": [], "doubts": []},
        },
    }


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Open an event loop that the test drives."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


def _failure(job: str, stage: str) -> Record:
    event = ProgressEvent(
        event_id="e",
        occurred_at=NOW,
        job_id=job,
        phase=Phase.FAILED,
        stage=stage,
        failure=Failure(reason=Reason.ENRICHMENT_FAILED, message="why", attempt=1),
    )
    return Record(TOPICS.progress, 0, 0, job.encode(), event.model_dump_json().encode())


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_a_failure_of_the_enricher_leaves_the_transcript_awaited(loop: asyncio.AbstractEventLoop) -> None:
    """Topics have no order among them: the enricher's failure may come first, and is the enrichment's alone."""
    answers = PendingAnswers(TOPICS, loop)
    with answers.waiting_for("j") as waiter:
        answers.offer(_failure("j", "enricher"))
        _turn(loop)
        assert not waiter.transcript.done()
        assert isinstance(waiter.enrichment.exception(), JobFailed)


def test_what_is_not_ours_is_passed_by(loop: asyncio.AbstractEventLoop) -> None:
    """Other jobs, no key, no JSON, topics that nobody follows: nothing is delivered or raised."""
    answers = PendingAnswers(TOPICS, loop)
    with answers.waiting_for("j") as waiter:
        for record in (
            _failure("other", "transcriber"),
            Record(TOPICS.progress, 0, 0, None, b"{}"),
            Record(TOPICS.transcripts, 0, 0, b"j", b"\xff"),
            Record("else", 0, 0, b"j", b"{}"),
        ):
            answers.offer(record)
        _turn(loop)
        assert not waiter.transcript.done()
    assert len(answers) == 0


def test_the_last_who_waits_withdraws_all_references(loop: asyncio.AbstractEventLoop) -> None:
    """Whoever leaves while another waits for the same job withdraws nothing."""
    answers = PendingAnswers(TOPICS, loop)
    with answers.waiting_for("j") as first:
        answers.add_reference(first, "a")
        with answers.waiting_for("j") as second:
            answers.add_reference(second, "b")
            assert answers.references_to_cancel(second) == ()
        assert answers.references_to_cancel(first) == ("a", "b")


def test_anothers_cancellation_is_noticed(loop: asyncio.AbstractEventLoop) -> None:
    """The request knows that it may have to publish again, whatever the withdrawn attempt still says of itself."""
    answers = PendingAnswers(TOPICS, loop)
    cancelled = CancellationEvent(event_id="c", occurred_at=NOW, job_id="j", reference_event_ids=("a",))
    accepted = ProgressEvent(event_id="p", occurred_at=NOW, job_id="j", phase=Phase.ACCEPTED, stage="transcriber")
    with answers.waiting_for("j") as waiter:
        assert not waiter.cancelled_elsewhere.is_set()
        answers.offer(Record(TOPICS.cancellations, 0, 0, b"j", cancelled.model_dump_json().encode()))
        answers.offer(Record(TOPICS.progress, 0, 0, b"j", accepted.model_dump_json().encode()))
        _turn(loop)
        assert waiter.cancelled_elsewhere.is_set()


def test_health_does_not_wait_for_a_service_that_hangs() -> None:
    """A check that does not return counts as down, others are reported, and it is not begun twice."""
    release = threading.Event()
    begun: list[int] = []

    def hang() -> bool:
        begun.append(1)
        return bool(release.wait(30))

    async def asked() -> list[dict[str, bool]]:
        dependencies = Dependencies({"slow": hang, "quick": lambda: True}, threads, clock=HandClock())
        try:
            return [await dependencies.up() for _ in range(2)]
        finally:
            release.set()

    with ThreadPoolExecutor(4) as threads:
        assert asyncio.run(asked()) == [{"slow": False, "quick": True}] * 2
    assert begun == [1]
