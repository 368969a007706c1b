"""Jobs that began before this replica did."""

import asyncio
import threading

import pytest

from producers.gateway.events.past import HistoryUnavailable, PastEvents
from producers.gateway.events.state import KnownJob
from schemas.errors import DependencyDown, Reason
from schemas.events import Phase
from tests.unit.producers.events.job_events import (
    JOB,
    OTHER_JOB,
    SUMMARY,
    accepted,
    event,
    failed,
    finished,
)
from tests.unit.producers.events.replica import Topic, replica

BEGUN = (event(Phase.ACCEPTED, 0), event(Phase.TRANSCRIBING, 10, text="one"))


@pytest.mark.parametrize("looks_back", [True, False], ids=["at the start", "when a client asks"])
def test_a_job_that_ran_before_the_start_has_its_whole_text(*, looks_back: bool) -> None:
    """Also where its later events come live."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*BEGUN)
        async with replica(topic, looks_back=looks_back) as here:
            topic.publish(event(Phase.TRANSCRIBING, 61, text="two"))
            found = await here.find()
            assert (found.phase, found.text) == (Phase.TRANSCRIBING, "one two")
            topic.publish(event(Phase.TRANSCRIBING, 62, text="three"))
            reads = topic.history.reads
            assert (await here.find()).text == "one two three"
            assert topic.history.reads == reads

    asyncio.run(story())


def test_an_unknown_job_is_searched_once() -> None:
    """A client that polls a wrong id costs no read of Kafka each time."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*BEGUN)
        async with replica(topic) as here:
            assert await here.states.find(OTHER_JOB) is None
            reads = topic.history.reads
            assert await here.states.find(OTHER_JOB) is None
            assert topic.history.reads == reads

    asyncio.run(story())


def test_clients_that_ask_at_once_share_one_read() -> None:
    """A hundred pages that show one job cost one search."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*BEGUN)
        async with replica(topic) as here:
            found = await asyncio.gather(*(here.find() for _ in range(100)))
            assert {each.text for each in found} == {"one"}
            assert topic.history.reads == 1

    asyncio.run(story())


def test_a_job_that_was_accepted_after_the_start_is_not_searched() -> None:
    """All of its events came live."""

    async def story() -> None:
        topic = Topic()
        topic.stored[JOB] = KnownJob(accepted=accepted(80))
        async with replica(topic) as here:
            assert (await here.find()).phase is Phase.ACCEPTED
            assert topic.history.reads == 0

    asyncio.run(story())


def test_a_finished_job_is_not_searched() -> None:
    """The bucket knows it; only an enrichment that the bucket knows nothing of may be in progress."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*BEGUN, event(Phase.FAILED, 55, stage="enricher", reason=Reason.ENRICHMENT_INVALID))
        topic.stored[JOB] = KnownJob(finished=finished())
        async with replica(topic) as here:
            assert (await here.find()).phase is Phase.COMPLETED
            assert topic.history.reads == 0
            topic.stored[JOB] = KnownJob(finished=finished(SUMMARY))
            assert (await here.find()).phase is Phase.FAILED

    asyncio.run(story())


def test_a_failed_job_s_tenant_is_found_in_the_topic() -> None:
    """The failure in the bucket of an older release names none."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*BEGUN, event(Phase.FAILED, 20, reason=Reason.AUDIO_EMPTY))
        topic.stored[JOB] = KnownJob(failures=[failed(20)])
        async with replica(topic) as here:
            found = await here.find()
            assert (found.phase, found.tenant) == (Phase.FAILED, "team")
            assert found.failure is not None
            assert found.failure.attempt == 2

    asyncio.run(story())


def test_a_job_that_ends_while_it_is_searched_is_finished() -> None:
    """The bucket is read again after the topic: the events may be newer than what it said."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*BEGUN, event(Phase.COMPLETED, 51))
        async with replica(topic) as here:
            read = topic.history.read

            def read_while_it_ends(*arguments: int, records_limit: int) -> object:
                topic.stored[JOB] = KnownJob(finished=finished())
                return read(*arguments, records_limit=records_limit)

            topic.history.read = read_while_it_ends  # type: ignore[method-assign, assignment]
            assert (await here.find()).phase is Phase.COMPLETED

    asyncio.run(story())


def test_without_kafka_a_job_stands_as_the_bucket_says() -> None:
    """What the bucket knows is told; a job that may be anywhere is not called unknown."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*BEGUN)
        topic.history.failure = DependencyDown("kafka", "no broker")
        async with replica(topic) as here:
            with pytest.raises(HistoryUnavailable):
                await here.states.find(JOB)
            topic.stored[JOB] = KnownJob(accepted=accepted(-5))
            assert (await here.find()).phase is Phase.ACCEPTED
            topic.history.failure = None
            assert (await here.find()).phase is Phase.TRANSCRIBING

    asyncio.run(story())


def test_reads_that_wait_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client is refused at once rather than made to wait behind too many others."""
    monkeypatch.setattr("producers.gateway.events.past.PENDING_READS_LIMIT", 1)

    async def story() -> None:
        topic = Topic()
        topic.publish(*BEGUN)
        async with replica(topic) as here:
            past: PastEvents = here.states.recall.past
            first = asyncio.ensure_future(past.bounds(0))
            second = asyncio.ensure_future(past.bounds(0))
            done = await asyncio.gather(first, second, return_exceptions=True)
            assert [type(each) for each in done] == [tuple, HistoryUnavailable]
            assert isinstance(await past.bounds(0), tuple)

    asyncio.run(story())


def test_a_client_does_not_wait_for_a_slow_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told to try again; the search goes on, and the next request has its result."""
    monkeypatch.setattr("producers.gateway.events.recall.RECALL_SECONDS", 0.05)
    answering = threading.Event()

    async def story() -> None:
        topic = Topic()
        topic.publish(*BEGUN)
        read = topic.history.read

        def read_slowly(*arguments: int, records_limit: int) -> object:
            answering.wait(20)
            return read(*arguments, records_limit=records_limit)

        topic.history.read = read_slowly  # type: ignore[method-assign, assignment]
        async with replica(topic) as here:
            with pytest.raises(HistoryUnavailable):
                await here.states.find(JOB)
            answering.set()
            monkeypatch.undo()
            assert (await here.find()).text == "one"
            assert topic.history.reads == 1

    asyncio.run(story())
