"""One request's job: what is published for it, what it is answered with, and what is withdrawn when it ends."""

import asyncio
import io
import threading

import pytest

from producers.gateway.interactive.answers import JobFailed
from producers.gateway.interactive.job_request import JobRequest, KeyReused
from schemas.errors import Reason
from schemas.events import Failure, Phase, ProgressEvent
from schemas.options import EnrichOptions, ExportFormat, TranscribeOptions
from tests.contract.jobs.gateway_jobs import (
    AUDIO,
    ENRICHED,
    NOW,
    SUMMARY,
    TOPICS,
    UNNAMED,
    Desk,
    Tell,
    asked,
    cancellation,
    gone,
    turned,
)


def test_a_request_becomes_one_reference_to_what_was_uploaded(tell: Tell) -> None:
    """All that the request says travels in it, under the job's key, on the interactive lane."""

    async def story(made: Desk) -> None:
        wish = asked(enrich=SUMMARY, options=TranscribeOptions(language="ko"))
        made.ask(wish)
        (reference,) = await made.published(TOPICS.references)
        (record,) = made.broker.records
        assert record.key == wish.job_id.encode()
        assert wish.trace.trace_id.encode() in (dict(record.headers)["traceparent"] or b"")
        assert reference["idempotency_key"] == "call-7"
        assert reference["options"]["language"] == "ko"
        assert reference["enrich"]["profiles"] == ["summary"]
        assert (reference["lane"], reference["tenant"]) == ("interactive", "team")
        assert reference["metadata"] == {"name": "a.wav"}
        assert reference["uri"].startswith("s3://")
        assert reference["etag"]
        assert reference["version_id"]
        assert reference["event_id"] == "id-1"
        assert reference["occurred_at"] == "2026-11-22T00:00:00Z"

    tell(story)


def test_an_event_of_the_job_answers_the_request_and_its_file_is_let_go(tell: Tell) -> None:
    """The text is the event's, and no file is held while others wait."""

    async def story(made: Desk) -> None:
        wish, source = asked(), io.BytesIO(AUDIO)
        answering = asyncio.create_task(made.jobs.answer(wish, source))
        await made.published(TOPICS.references)
        assert source.closed
        event = made.transcript(wish)
        made.say(TOPICS.transcripts, event, wish.job_id)
        answer = await answering
        assert (answer.text, answer.transcript, answer.enrichment) == ("heard", event, None)
        await turned()
        assert asyncio.all_tasks() == {asyncio.current_task()}, "it goes on looking for what it has"
        assert made.broker.on(TOPICS.cancellations) == []

    tell(story)


def test_who_leaves_withdraws_exactly_what_was_asked_for(tell: Tell) -> None:
    """The cancellation names the job and the reference, so a consumer can tell it from the same job of another."""

    async def story(made: Desk) -> None:
        wish = asked()
        asking = made.ask(wish)
        (reference,) = await made.published(TOPICS.references)
        await gone(asking)
        (withdrawn,) = made.broker.on(TOPICS.cancellations)
        assert withdrawn["job_id"] == wish.job_id
        assert withdrawn["reference_event_ids"] == [reference["event_id"]]
        assert made.broker.records[-1].key == wish.job_id.encode()

    tell(story)


def test_who_leaves_before_anything_was_asked_for_withdraws_nothing(tell: Tell) -> None:
    """There is nothing to withdraw, and the job of that key may be another's."""

    async def story(made: Desk) -> None:
        free = threading.Event()
        made.calling.submit(free.wait, 30)
        asking = made.ask(asked())
        await turned()
        await gone(asking)
        free.set()
        assert made.broker.records == []

    tell(story)


def test_a_withdrawal_is_published_although_its_request_is_cancelled_once_more(tell: Tell) -> None:
    """A server that stops cancels what it still runs: the job would go on for nobody."""

    async def story(made: Desk) -> None:
        asking = made.ask(asked())
        await made.published(TOPICS.references)
        free = threading.Event()
        made.calling.submit(free.wait, 30)
        asking.cancel()
        await turned()
        await gone(asking)
        free.set()
        await made.published(TOPICS.cancellations)

    tell(story)


def test_a_withdrawal_that_the_broker_does_not_take_changes_no_answer(tell: Tell) -> None:
    """The client has left; there is nobody to tell."""

    async def story(made: Desk) -> None:
        asking = made.ask(asked())
        await made.published(TOPICS.references)
        made.broker.is_down = True
        await gone(asking)

    tell(story)


def test_a_job_that_another_withdrew_is_asked_for_once_more(tell: Tell) -> None:
    """One new reference for each cancellation, of which the last who leaves withdraws all."""

    async def story(made: Desk) -> None:
        wish = asked()
        asking = made.ask(wish)
        (first,) = await made.published(TOPICS.references)
        made.say(TOPICS.cancellations, cancellation(wish, first["event_id"]), wish.job_id)
        _, second = await made.published(TOPICS.references, 2)
        assert second["uri"] == first["uri"]
        assert second["event_id"] != first["event_id"]
        await made.looked(5)
        assert len(made.broker.on(TOPICS.references)) == 2
        await gone(asking)
        (withdrawn,) = made.broker.on(TOPICS.cancellations)
        assert withdrawn["reference_event_ids"] == [first["event_id"], second["event_id"]]

    tell(story)


def test_a_broker_that_is_away_when_a_job_must_be_asked_for_again_is_asked_later(tell: Tell) -> None:
    """The request goes on waiting, and its job is published when the broker is back."""

    async def story(made: Desk) -> None:
        wish = asked()
        asking = made.ask(wish)
        await made.published(TOPICS.references)
        made.broker.is_down = True
        made.say(TOPICS.cancellations, cancellation(wish), wish.job_id)
        await made.looked(3)
        made.broker.is_down = False
        await made.published(TOPICS.references, 2)
        assert not asking.done()

    tell(story)


def test_an_answer_whose_event_went_by_is_found_in_the_bucket(tell: Tell) -> None:
    """While the request waits, it looks."""

    async def story(made: Desk) -> None:
        wish = ENRICHED
        asking = made.ask(wish)
        (reference,) = await made.published(TOPICS.references)
        event = made.transcript(wish, reference_event_id=reference["event_id"])
        made.keep(event)
        await made.looked(3)
        assert not asking.done()
        enrichment = made.enrichment(wish)
        made.keep_enrichment(enrichment, SUMMARY)
        answer = await asking
        assert (answer.transcript, answer.enrichment) == (event, enrichment)

    tell(story)


def test_a_finished_job_is_answered_without_another_upload(tell: Tell) -> None:
    """Nothing is published, and the file is read and let go."""

    async def story(made: Desk) -> None:
        event, source = made.transcript(ENRICHED), io.BytesIO(AUDIO)
        made.keep(event)
        made.keep_enrichment(made.enrichment(ENRICHED), SUMMARY)
        answer = await made.jobs.answer(ENRICHED, source)
        assert answer.transcript == event
        assert source.closed
        assert made.broker.records == []

    tell(story)


@pytest.mark.parametrize(
    "other",
    [
        asked(options=TranscribeOptions(word_timestamps=True)),
        asked(tenant="another"),
        asked(options=TranscribeOptions(exports=(ExportFormat.TSV,))),
        asked(enrich=EnrichOptions(profiles=("title",))),
    ],
    ids=["options", "tenant", "exports", "enrichment"],
)
def test_a_key_that_named_something_else_is_refused(tell: Tell, other: JobRequest) -> None:
    """Other options, another tenant, other wishes: the answer would be another's."""

    async def story(made: Desk) -> None:
        made.keep(made.transcript(asked(), enrich=SUMMARY))
        with pytest.raises(KeyReused):
            await made.ask(other)

    tell(story)


def test_a_key_of_the_gateway_s_own_cannot_have_been_used(tell: Tell) -> None:
    """It is new for each request, so what the event says of audio and options is not doubted."""

    async def story(made: Desk) -> None:
        asking = made.ask(UNNAMED)
        await made.published(TOPICS.references)
        event = made.transcript(UNNAMED, audio=b"as the consumer saw it")
        made.say(TOPICS.transcripts, event, UNNAMED.job_id)
        assert (await asking).text == "heard"

    tell(story)


def test_a_text_that_its_event_leaves_out_comes_from_the_bucket(tell: Tell) -> None:
    """A job that has no transcript there any more is the store's trouble."""

    async def story(made: Desk) -> None:
        wish = asked()
        event = made.transcript(wish, text=None)
        made.keep(event)
        with pytest.raises(Exception, match="cannot be read any more"):
            await made.ask(wish)

    tell(story)


def test_a_job_that_failed_says_so(tell: Tell) -> None:
    """The failure's own reason, and nothing is withdrawn: the job is over."""

    async def story(made: Desk) -> None:
        wish = asked()
        asking = made.ask(wish)
        await made.published(TOPICS.references)
        failure = Failure(reason=Reason.AUDIO_UNDECODABLE, message="no audio", attempt=1)
        failed = ProgressEvent(
            event_id="p",
            occurred_at=NOW,
            job_id=wish.job_id,
            phase=Phase.FAILED,
            stage="transcriber",
            failure=failure,
        )
        made.say(TOPICS.progress, failed, wish.job_id)
        with pytest.raises(JobFailed) as raised:
            await asking
        assert raised.value.failure == failure
        assert made.broker.on(TOPICS.cancellations) == []

    tell(story)


def test_a_file_is_recognised_whole(tell: Tell) -> None:
    """Two files that begin alike are not one."""

    async def story(made: Desk) -> None:
        wish = asked()
        made.keep(made.transcript(wish))
        assert (await made.ask(wish)).text == "heard"
        with pytest.raises(KeyReused):
            await made.ask(wish, AUDIO + b"!")

    tell(story)
