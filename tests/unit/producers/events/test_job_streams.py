"""Streams of one job: complete, once, in order, at any replica."""

import asyncio

import pytest

from producers.gateway.events.cursors import Position
from producers.gateway.events.state import KnownJob
from producers.gateway.events.streams import JobStream
from schemas.errors import Reason
from schemas.events import Phase
from tests.unit.producers.events.job_events import (
    JOB,
    SUMMARY,
    accepted,
    enrichment,
    event,
    finished,
)
from tests.unit.producers.events.replica import (
    EVENTS,
    PARTITION,
    WHOLE,
    Topic,
    finish,
    neighbour,
    replica,
    take,
    take_all,
    texts_of,
)


@pytest.mark.parametrize("looks_back", [True, False], ids=["from memory", "from the topic"])
@pytest.mark.parametrize("before", range(len(EVENTS) + 1))
def test_a_new_replica_continues_a_stream_wherever_it_was_cut(before: int, *, looks_back: bool) -> None:
    """Of the events some came before the restart and some after it: the client gets each once, in order."""

    async def story() -> None:
        topic = Topic()
        topic.stored[JOB] = KnownJob(accepted=accepted())
        seen: list[str] = []
        cursor = None
        async with replica(topic) as first:
            stream = await first.follow_job()
            topic.publish(*EVENTS[:before], neighbour(40))
            for message in await take(stream, before):
                seen += texts_of([message])
                cursor = Position.parse(message.id)
            await stream.aclose()
            assert len(first.hub) == 0
        topic.publish(neighbour(41), *EVENTS[before:4])
        async with replica(topic, looks_back=looks_back) as second:
            second.clock.seconds += 3_600  # the job is no news
            stream = await second.follow_job(cursor)
            missed = len(EVENTS[before:4])
            seen += texts_of(await take(stream, missed))
            finish(topic)
            topic.publish(*EVENTS[max(before, 4) :])
            if before < len(EVENTS):
                seen += texts_of(await take_all(stream))
            await stream.aclose()
        assert seen == WHOLE

    if before == len(EVENTS):
        return
    asyncio.run(story())


def test_a_job_that_has_ended_is_told_whole_and_the_stream_ends() -> None:
    """From the topic, long after its end; its last event closes the stream."""

    async def story() -> None:
        topic = Topic()
        topic.publish(neighbour(0), *EVENTS, neighbour(52))
        finish(topic)
        async with replica(topic) as late:
            late.clock.seconds += 3_600
            assert texts_of(await take_all(await late.follow_job())) == WHOLE

    asyncio.run(story())


@pytest.mark.parametrize("seconds", [0, 3_600], ids=["just ended", "ended long ago"])
def test_a_client_that_has_every_event_is_told_to_stop(seconds: int) -> None:
    """None means 204, at which an EventSource does not connect again."""

    async def story() -> None:
        topic = Topic()
        async with replica(topic) as here:
            topic.publish(*EVENTS)
            finish(topic)
            here.clock.seconds += seconds
            last = Position(PARTITION, len(EVENTS) - 1)
            assert await JobStream(here.states, await here.find(), "team").open(last) is None

    asyncio.run(story())


def test_the_end_of_a_job_without_events_is_told_from_the_bucket() -> None:
    """Retention deleted all of them: one message says how the job ended, and its id ends a second try."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*EVENTS)
        topic.history.delete_before(PARTITION, len(EVENTS))
        finish(topic)
        async with replica(topic) as late:
            late.clock.seconds += 3_600
            (message,) = await take_all(await late.follow_job())
            assert message.event == "completed"
            cursor = Position.parse(message.id)
            assert await JobStream(late.states, await late.find(), "team").open(cursor) is None

    asyncio.run(story())


def test_a_stream_waits_for_the_enrichment_that_the_job_requests() -> None:
    """The transcript's end is not the job's."""

    async def story() -> None:
        topic = Topic()
        async with replica(topic) as here:
            topic.publish(*EVENTS[:2])
            stream = await here.follow_job()
            topic.stored[JOB] = KnownJob(finished=finished(SUMMARY))
            topic.publish(EVENTS[4])
            assert texts_of(await take(stream, 3))[-1] == "completed"
            topic.publish(event(Phase.ENRICHING, 60, stage="enricher"))
            assert texts_of(await take(stream, 1)) == ["enriching"]
            topic.stored[JOB] = KnownJob(finished=finished(SUMMARY), enrichment=enrichment())
            topic.publish(event(Phase.COMPLETED, 81, stage="enricher"))
            (last,) = await take_all(stream)
            assert '"stage":"enricher"' in last.data

    asyncio.run(story())


def test_the_end_of_one_reference_does_not_end_the_stream() -> None:
    """Another reference keeps the job going."""

    async def story() -> None:
        topic = Topic()
        async with replica(topic) as here:
            topic.publish(*EVENTS[:2])
            stream = await here.follow_job()
            topic.publish(event(Phase.CANCELLED, 12, reference="r2"), EVENTS[2])
            finish(topic)
            topic.publish(EVENTS[4])
            assert texts_of(await take_all(stream)) == ["accepted", "one", "cancelled", "two", "completed"]

    asyncio.run(story())


def test_events_of_another_tenant_s_reference_are_not_shown() -> None:
    """A tenant that reuses the key of another one's job is told so in its own events only."""

    async def story() -> None:
        topic = Topic()
        async with replica(topic) as here:
            topic.publish(EVENTS[0])
            stream = await here.follow_job()
            topic.publish(event(Phase.FAILED, 1, reference="x", reason=Reason.KEY_REUSED, tenant="other"))
            finish(topic)
            topic.publish(EVENTS[4])
            assert texts_of(await take_all(stream)) == ["accepted", "completed"]

    asyncio.run(story())
