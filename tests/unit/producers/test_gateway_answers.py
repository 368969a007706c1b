"""What a waiting request hears of other clients' references for the same job."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from producers.gateway.interactive.answers import GatewayStopping, PendingAnswers
from schemas.errors import Reason
from schemas.events import CancellationEvent, EnrichmentEvent, Failure, Phase, ProgressEvent
from schemas.identity import enrich_digest, job_id
from schemas.kafka.records import Record
from schemas.kafka.topics import Topics
from schemas.options import EnrichOptions
from schemas.results import ResultKeys
from schemas.transcripts.transcript import TokenUsage
from tests.support.kept import NOW, event_of

TOPICS = Topics()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Open an event loop that the test drives."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def _ended(phase: Phase, reference: str | None, *, reason: Reason = Reason.AUDIO_NOT_FOUND) -> Record:
    failure = Failure(reason=reason, message="why", attempt=1) if phase is Phase.FAILED else None
    event = ProgressEvent(
        event_id="e",
        occurred_at=NOW,
        job_id="j",
        reference_event_id=reference,
        phase=phase,
        stage="transcriber",
        failure=failure,
    )
    return Record(TOPICS.progress, 0, 0, b"j", event.model_dump_json().encode())


@pytest.mark.parametrize(
    ("reference", "fails"), [("ours", True), (None, True), ("anothers", False)], ids=["ours", "older", "anothers"]
)
def test_a_failure_is_told_to_those_whose_reference_failed(
    loop: asyncio.AbstractEventLoop, reference: str | None, *, fails: bool
) -> None:
    """What another client's reference did not bring about is done for ours; older workers name no reference."""
    answers = PendingAnswers(TOPICS, loop)
    with answers.waiting_for("j") as waiter:
        answers.add_reference(waiter, "ours")
        answers.offer(_ended(Phase.FAILED, reference))
        _turn(loop)
        assert waiter.transcript.done() is fails


def test_a_key_that_was_reused_is_found_out_by_the_request_itself(loop: asyncio.AbstractEventLoop) -> None:
    """Another request with the same key may wait here for the job's transcript, which is not at fault."""
    answers = PendingAnswers(TOPICS, loop)
    with answers.waiting_for("j") as waiter:
        answers.add_reference(waiter, "ours")
        answers.offer(_ended(Phase.FAILED, "ours", reason=Reason.KEY_REUSED))
        _turn(loop)
        assert not waiter.transcript.done()


@pytest.mark.parametrize(("reference", "asks_again"), [("ours", True), ("anothers", False)])
def test_a_reference_that_was_cancelled_while_somebody_waits_is_asked_again(
    loop: asyncio.AbstractEventLoop, reference: str, *, asks_again: bool
) -> None:
    """Another client cancelled the whole job; the end of another's reference is no reason to ask."""
    answers = PendingAnswers(TOPICS, loop)
    with answers.waiting_for("j") as waiter:
        answers.add_reference(waiter, "ours")
        answers.offer(_ended(Phase.CANCELLED, reference))
        _turn(loop)
        assert waiter.cancelled_elsewhere.is_set() is asks_again
        assert not waiter.transcript.done()


@pytest.mark.parametrize(
    ("named", "noticed"),
    [
        ({"idempotency_key": "k"}, True),
        ({"reference_event_ids": ("ours",)}, True),
        ({"idempotency_key": "other"}, False),
        ({"reference_event_ids": ("anothers",)}, False),
    ],
)
def test_a_cancellation_by_any_name_is_noticed(
    loop: asyncio.AbstractEventLoop, named: dict[str, Any], *, noticed: bool
) -> None:
    """Whoever published it keyed its record as they liked."""
    answers = PendingAnswers(TOPICS, loop)
    cancelled = CancellationEvent(event_id="c", occurred_at=NOW, **named)
    with answers.waiting_for(job_id("k")) as waiter:
        answers.add_reference(waiter, "ours")
        answers.offer(Record(TOPICS.cancellations, 0, 0, None, cancelled.model_dump_json().encode()))
        _turn(loop)
        assert waiter.cancelled_elsewhere.is_set() is noticed


def test_an_enrichment_that_rests_on_anothers_reference_is_not_ours(loop: asyncio.AbstractEventLoop) -> None:
    """Nor is one that several asked for: none of their references alone keeps it."""
    answers = PendingAnswers(TOPICS, loop)
    transcript = event_of("j", text="one", name="a.wav").model_copy(update={"reference_event_id": "ours"})
    with answers.waiting_for("j") as waiter:
        assert not answers.is_ours(waiter, transcript)
        answers.add_reference(waiter, "ours")
        assert answers.is_ours(waiter, transcript)
        assert not answers.is_ours(waiter, transcript.model_copy(update={"shared": True}))


def test_whoever_waits_when_the_gateway_stops_is_told_so(loop: asyncio.AbstractEventLoop) -> None:
    """For the transcript and for the enrichment; who comes later is told at the door."""
    answers = PendingAnswers(TOPICS, loop)
    with answers.waiting_for("j") as waiter:
        answers.stop()
        assert isinstance(waiter.transcript.exception(), GatewayStopping)
        assert isinstance(waiter.enrichment.exception(), GatewayStopping)
    with pytest.raises(GatewayStopping), answers.waiting_for("j"):
        pytest.fail("the gateway has stopped")


def test_a_transcript_answers_all_who_wait_for_its_job_and_nobody_else(loop: asyncio.AbstractEventLoop) -> None:
    """The enrichment is still to come."""
    answers = PendingAnswers(TOPICS, loop)
    transcript = event_of("j", text="one", name="a.wav")
    with answers.waiting_for("j") as first, answers.waiting_for("j") as second, answers.waiting_for("k") as other:
        answers.offer(Record(TOPICS.transcripts, 0, 0, b"j", transcript.model_dump_json().encode()))
        _turn(loop)
        assert (first.transcript.result(), second.transcript.result()) == (transcript, transcript)
        assert (first.is_transcribed, other.is_transcribed) == (True, False)
        assert not any(one.done() for one in (first.enrichment, second.enrichment, other.transcript))


def test_progress_is_shown_only_to_the_request_that_has_the_job_done(loop: asyncio.AbstractEventLoop) -> None:
    """Another request with the same key may be of other audio or another tenant: it must not see the text."""
    answers = PendingAnswers(TOPICS, loop)
    first: list[ProgressEvent] = []
    second: list[ProgressEvent] = []
    with (
        answers.waiting_for("j", on_progress=first.append) as ours,
        answers.waiting_for("j", on_progress=second.append) as theirs,
    ):
        answers.add_reference(ours, "ours")
        answers.add_reference(theirs, "theirs")
        for reference in ("ours", "anothers", None):
            answers.offer(_ended(Phase.TRANSCRIBING, reference))
        _turn(loop)
    assert [event.reference_event_id for event in first] == ["ours"]
    assert second == []


@pytest.mark.parametrize(("profile", "answers_it"), [("title", True), ("topics", False)])
def test_an_enrichment_with_other_options_is_no_answer(
    loop: asyncio.AbstractEventLoop, profile: str, *, answers_it: bool
) -> None:
    """``kascribe enrich --all`` may enrich the job with a profile that the client did not request."""
    digest = enrich_digest(EnrichOptions(profiles=(profile,)))
    event = EnrichmentEvent(
        event_id="e",
        occurred_at=NOW,
        job_id="j",
        transcript_uri="s3://audio/t.json",
        model="m",
        results=(),
        results_uri=f"s3://audio/{ResultKeys('results/').enrichment('j', digest)}",
        usage=TokenUsage(),
        total_seconds=1.0,
    )
    answers = PendingAnswers(TOPICS, loop)
    with answers.waiting_for("j", EnrichOptions(profiles=("title",))) as waiter:
        answers.offer(Record(TOPICS.enrichments, 0, 0, b"j", event.model_dump_json().encode()))
        _turn(loop)
        assert waiter.enrichment.done() is answers_it
