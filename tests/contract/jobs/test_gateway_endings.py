"""How a request ends whose answer is an enrichment, comes too late, or not before the gateway stops."""

import threading

import pytest

from producers.gateway.interactive.answers import GatewayStopping
from producers.gateway.interactive.job_request import EnrichmentTimeout, TranscriptTimeout
from tests.contract.jobs.gateway_jobs import (
    ENRICHED,
    SUMMARY,
    TOPICS,
    UNNAMED,
    Desk,
    Tell,
    asked,
    cancellation,
    gone,
)


def test_an_enrichment_that_rests_on_another_s_reference_is_asked_for_by_this_one(tell: Tell) -> None:
    """The same event again with a reference of ours; who leaves then withdraws that one."""

    async def story(made: Desk) -> None:
        made.keep(made.transcript(ENRICHED, reference_event_id="of-another"))
        asking = made.ask(ENRICHED)
        (again,) = await made.published(TOPICS.transcripts)
        assert (again["job_id"], again["text"]) == (ENRICHED.job_id, "heard")
        assert again["reference_event_id"] == "id-1"
        assert again["reference_occurred_at"] == "2026-11-22T00:00:00Z"
        assert made.broker.records[-1].key == ENRICHED.job_id.encode()
        await gone(asking)
        (withdrawn,) = made.broker.on(TOPICS.cancellations)
        assert withdrawn["reference_event_ids"] == ["id-1"]

    tell(story)


def test_an_enrichment_that_rests_on_our_own_reference_is_only_waited_for(tell: Tell) -> None:
    """The enricher is at it already."""

    async def story(made: Desk) -> None:
        asking = made.ask(ENRICHED)
        (reference,) = await made.published(TOPICS.references)
        event = made.transcript(ENRICHED, reference_event_id=reference["event_id"])
        made.say(TOPICS.transcripts, event, ENRICHED.job_id)
        await made.looked(3)
        assert made.broker.on(TOPICS.transcripts) == []
        enrichment = made.enrichment(ENRICHED)
        made.say(TOPICS.enrichments, enrichment, ENRICHED.job_id)
        assert (await asking).enrichment == enrichment

    tell(story)


def test_an_enrichment_that_another_withdrew_is_asked_for_once_more(tell: Tell) -> None:
    """The transcript is there, so it alone is published again, and no audio is transcribed twice."""

    async def story(made: Desk) -> None:
        made.ask(ENRICHED)
        (reference,) = await made.published(TOPICS.references)
        event = made.transcript(ENRICHED, reference_event_id=reference["event_id"])
        made.say(TOPICS.transcripts, event, ENRICHED.job_id)
        made.say(TOPICS.cancellations, cancellation(ENRICHED, reference["event_id"]), ENRICHED.job_id)
        (again,) = await made.published(TOPICS.transcripts)
        assert again["reference_event_id"] == "id-2"
        assert len(made.broker.on(TOPICS.references)) == 1

    tell(story)


def test_what_takes_too_long_goes_on_for_who_can_ask_again_and_is_withdrawn_for_others(tell: Tell) -> None:
    """The message says which, and with which key to ask."""

    async def story(made: Desk) -> None:
        named, unnamed = made.ask(asked()), made.ask(UNNAMED)
        with pytest.raises(
            TranscriptTimeout, match="goes on: the same request with Idempotency-Key call-7"
        ) as late:
            await named
        assert late.value.job_id == asked().job_id
        assert late.value.idempotency_key == "call-7"
        with pytest.raises(TranscriptTimeout, match="was cancelled"):
            await unnamed
        (withdrawn,) = made.broker.on(TOPICS.cancellations)
        assert withdrawn["job_id"] == UNNAMED.job_id

    tell(story, patience_seconds=0.5)


def test_an_enrichment_that_takes_too_long_is_not_withdrawn(tell: Tell) -> None:
    """Its transcript is there, and the language model's work is not thrown away."""

    async def story(made: Desk) -> None:
        wish = asked(idempotency_key="gateway:2", is_repeatable=False, enrich=SUMMARY)
        asking = made.ask(wish)
        (reference,) = await made.published(TOPICS.references)
        event = made.transcript(wish, reference_event_id=reference["event_id"])
        made.say(TOPICS.transcripts, event, wish.job_id)
        with pytest.raises(EnrichmentTimeout, match="transcript is ready"):
            await asking
        assert made.broker.on(TOPICS.cancellations) == []

    tell(story, patience_seconds=0.5)


def test_an_upload_that_takes_too_long_was_asked_of_nobody(tell: Tell) -> None:
    """So the message does not say that the job goes on."""

    async def story(made: Desk) -> None:
        made.broker.gate.clear()
        free = threading.Event()
        made.calling.submit(free.wait, 30)
        asking = made.ask(asked())
        with pytest.raises(TranscriptTimeout, match="nothing was asked for"):
            await asking
        free.set()
        assert made.broker.records == []

    tell(story, patience_seconds=0.3)


def test_a_gateway_that_stops_withdraws_only_what_nobody_can_ask_for_again(tell: Tell) -> None:
    """Who has a key of their own comes back with it."""

    async def story(made: Desk) -> None:
        named, unnamed = made.ask(asked()), made.ask(UNNAMED)
        await made.published(TOPICS.references, 2)
        made.jobs.answers.stop()
        for asking in (named, unnamed):
            with pytest.raises(GatewayStopping):
                await asking
        (withdrawn,) = made.broker.on(TOPICS.cancellations)
        assert withdrawn["job_id"] == UNNAMED.job_id

    tell(story)
