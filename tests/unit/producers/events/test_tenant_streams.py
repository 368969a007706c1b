"""Streams of all jobs of a tenant: complete and once over partitions and replicas."""

import asyncio
from itertools import pairwise

import pytest

from producers.gateway.events.cursors import Frontier
from producers.gateway.events.hub import JobHub, TooManySubscribers
from producers.gateway.events.past import CursorGone
from schemas.events import Phase, ProgressEvent
from tests.unit.producers.events.job_events import event
from tests.unit.producers.events.replica import Topic, replica, take, take_all, texts_of


def burst(first: int, count: int) -> list[ProgressEvent]:
    """Return events of many jobs; every third is of another tenant. The text is the number."""
    return [
        event(
            Phase.TRANSCRIBING,
            number,
            job_id=f"{number % 7:032x}",
            text=f"{number}",
            tenant="other" if number % 3 == 0 else "team",
        )
        for number in range(first, first + count)
    ]


def ours(first: int, count: int) -> set[str]:
    """Return the texts of the tenant's events in a burst."""
    return {made.text or "" for made in burst(first, count) if made.tenant == "team"}


@pytest.mark.parametrize("looks_back", [True, False], ids=["from memory", "from the topic"])
def test_a_tenant_gets_each_of_its_events_once_across_replicas(*, looks_back: bool) -> None:
    """A client that loses its gateway three times, and connects to a new one each time, misses nothing."""

    async def story() -> None:
        topic, seen = Topic(), list[str]()
        cursor: Frontier | None = None
        first = 0
        for _ in range(3):
            async with replica(topic, looks_back=looks_back) as here:
                stream = await here.follow_tenant(cursor)
                if cursor is None:
                    cursor = Frontier.parse((await anext(stream)).id)
                topic.publish(*burst(first, 30))
                missing = ours(0, first + 30) - set(seen)
                messages = await take(stream, len(missing) // 2)  # the rest is lost with the connection
                seen += texts_of(messages)
                cursor = Frontier.parse(messages[-1].id)
                await stream.aclose()
            topic.publish(*burst(first + 30, 30))  # while there is no gateway
            first += 60
        async with replica(topic, looks_back=looks_back) as here:
            stream = await here.follow_tenant(cursor)
            seen += texts_of(await take(stream, len(ours(0, first)) - len(seen)))
            await stream.aclose()
        assert sorted(seen, key=int) == sorted(ours(0, first), key=int)
        by_job = [[int(text) for text in seen if int(text) % 7 == job] for job in range(7)]
        assert all(before < after for each in by_job for before, after in pairwise(each))

    asyncio.run(story())


def test_without_a_cursor_a_stream_begins_now_and_has_a_cursor_at_once() -> None:
    """Its first message has an id and no data, so a client that loses the connection at once resumes too."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*burst(0, 9))
        async with replica(topic) as here:
            stream = await here.follow_tenant()
            hello = await anext(stream)
            assert (Frontier.parse(hello.id), hello.data) == (Frontier.of(topic.ends), "")
            topic.publish(*burst(9, 3))
            assert texts_of(await take(stream, 2)) == ["10", "11"]
            await stream.aclose()
            stream = await here.follow_tenant(Frontier.parse(hello.id))
            assert set(texts_of(await take(stream, 2))) == {"10", "11"}
            await stream.aclose()

    asyncio.run(story())


def test_a_caller_without_a_tenant_sees_all() -> None:
    """Where no keys are in use."""

    async def story() -> None:
        topic = Topic()
        async with replica(topic) as here:
            stream = await here.follow_tenant(tenant=None)
            await anext(stream)
            topic.publish(*burst(0, 6))
            assert set(texts_of(await take(stream, 6))) == set("012345")
            await stream.aclose()

    asyncio.run(story())


def test_a_heartbeat_moves_the_cursor_of_a_quiet_tenant() -> None:
    """Otherwise other tenants' events would count as missed, and retention would overtake the cursor."""

    async def story() -> None:
        topic = Topic()
        async with replica(topic) as here:
            from producers.gateway.events.streams import TenantStream

            stream = TenantStream(here.states, "nobody")
            messages = await stream.open(None)
            await anext(messages)
            following = asyncio.ensure_future(anext(messages))
            while not len(here.hub):
                await asyncio.wait({following}, timeout=0.01)
            topic.publish(*burst(0, 9))
            assert Frontier.parse(stream.heartbeat().id) == Frontier.of(topic.ends)
            following.cancel()
            await asyncio.wait({following})
            await messages.aclose()

    asyncio.run(story())


def test_a_partition_that_was_added_is_read_from_its_beginning() -> None:
    """A cursor from before knows nothing of it."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*burst(0, 12))
        async with replica(topic) as here:
            old = Frontier(Frontier.of(topic.ends).offsets[:1])
            stream = await here.follow_tenant(old)
            expected = {
                text
                for text in ours(0, 12)
                for record in topic.history.read(1, 0, 99, records_limit=99)[0]
                + topic.history.read(2, 0, 99, records_limit=99)[0]
                if f'"text":"{text}"'.encode() in (record.value or b"")
            }
            assert set(texts_of(await take(stream, len(expected)))) == expected
            await stream.aclose()

    asyncio.run(story())


def test_a_cursor_that_retention_has_overtaken_is_refused() -> None:
    """In any one of the partitions."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*burst(0, 30))
        topic.history.delete_before(1, 3)
        async with replica(topic) as here:
            with pytest.raises(CursorGone):
                await here.follow_tenant(Frontier((0, 0, 0)))

    asyncio.run(story())


def test_subscribers_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is refused before its stream begins, and told in the stream if others were faster."""
    monkeypatch.setattr("producers.gateway.events.hub.SUBSCRIBERS_LIMIT", 1)

    async def story() -> None:
        topic = Topic()
        async with replica(topic) as here:
            hub: JobHub = here.hub
            with hub.subscribe():
                with pytest.raises(TooManySubscribers):
                    hub.refuse_crowd()
                (last,) = await take_all(await here.follow_tenant())
                assert '"reason":"crowded"' in last.data
            hub.refuse_crowd()

    asyncio.run(story())
