"""Streams of one job that cannot go on: what their clients are told, and how they resume."""

import asyncio

import pytest

from producers.gateway.events.board import Board
from producers.gateway.events.cursors import Position
from producers.gateway.events.past import CursorGone
from schemas.errors import DependencyDown
from schemas.events import Phase
from tests.contract.jobs.listed_history import ListedHistory
from tests.unit.producers.events.job_events import (
    OTHER_JOB,
    event,
)
from tests.unit.producers.events.replica import EVENTS, PARTITION, WHOLE, Topic, replica, take, take_all, texts_of


@pytest.mark.parametrize("offset", [0, 9], ids=["deleted", "of another log"])
def test_a_position_that_the_topic_has_not_is_refused(offset: int) -> None:
    """The client may have missed events: it is told so."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*EVENTS[:3])
        topic.history.delete_before(PARTITION, 2)
        async with replica(topic) as here:
            with pytest.raises(CursorGone):
                await here.follow_job(Position(PARTITION, offset))

    asyncio.run(story())


def test_a_stream_that_retention_overtakes_says_so() -> None:
    """As its last message, without an id."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*EVENTS[:3])
        async with replica(topic) as here:
            stream = await here.follow_job(Position(PARTITION, 0))
            topic.history.delete_before(PARTITION, 3)
            (last,) = await take_all(stream)
            assert (last.event, last.id) == ("cut_off", "")
            assert '"reason":"cursor_gone"' in last.data

    asyncio.run(story())


def test_a_stream_whose_history_cannot_be_read_says_so() -> None:
    """The client resumes it later with the id that it has."""

    async def story() -> None:
        topic = Topic()
        topic.publish(*EVENTS[:3])
        async with replica(topic) as here:
            stream = await here.follow_job(Position(PARTITION, 0))
            topic.history.failure = DependencyDown("kafka", "no broker")
            (last,) = await take_all(stream)
            assert '"reason":"history_unavailable"' in last.data

    asyncio.run(story())


def test_a_slow_reader_is_cut_off_and_resumes() -> None:
    """What fits its queue is sent; the rest comes after it has connected again."""

    async def story() -> None:
        topic = Topic()
        async with replica(topic) as here:
            topic.publish(EVENTS[0])
            stream = await here.follow_job()
            await take(stream, 1)
            texts = [f"{n}" for n in range(1_500)]
            topic.publish(*(event(Phase.TRANSCRIBING, 1, text=text) for text in texts))
            found = await take_all(stream)
            assert texts_of(found) == [*texts[: len(found) - 1], "cut_off"]
            assert 1_000 <= len(found) - 1 < 1_100
            stream = await here.follow_job(Position.parse(found[-2].id))
            rest = texts[len(found) - 1 :]
            assert texts_of(await take(stream, len(rest))) == rest
            await stream.aclose()

    asyncio.run(story())


def test_the_hub_s_end_ends_streams() -> None:
    """A gateway that stops does not wait for jobs."""

    async def story() -> None:
        topic = Topic()
        async with replica(topic) as here:
            topic.publish(EVENTS[0])
            stream = await here.follow_job()
            await take(stream, 1)
            here.hub.stop()
            assert await take_all(stream) == []
            assert len(here.hub) == 0

    asyncio.run(story())


def test_a_job_whose_beginning_the_board_forgot_is_read_from_the_topic() -> None:
    """Its stream has every event all the same."""

    async def story() -> None:
        topic = Topic()
        async with replica(topic, board=Board(jobs_limit=1)) as here:
            topic.publish(*EVENTS[:2], event(Phase.FETCHING, 15, job_id=OTHER_JOB), EVENTS[2])
            here.clock.seconds += 100
            stream = await here.follow_job()
            assert texts_of(await take(stream, 3)) == WHOLE[:3]
            assert (await here.find()).text == "one two"
            await stream.aclose()

    asyncio.run(story())


def test_a_topic_that_was_created_again_ends_streams_and_is_followed_anew() -> None:
    """Positions of the old log mean nothing in the new one: clients connect again, and jobs are known again."""

    async def story() -> None:
        topic = Topic()
        async with replica(topic) as here:
            topic.publish(*EVENTS[:3])
            stream = await here.follow_job()
            await take(stream, 3)
            topic.history = here.states.recall.past.history = ListedHistory()
            topic.publish(event(Phase.ACCEPTED, 61, reference="r2"))
            assert await take_all(stream) == []
            stream = await here.follow_job()
            topic.publish(event(Phase.TRANSCRIBING, 62, reference="r2", text="anew"))
            assert texts_of(await take(stream, 2)) == ["accepted", "anew"]
            await stream.aclose()
            assert (await here.find()).text == "anew"
            with pytest.raises(CursorGone):
                await here.follow_job(Position(PARTITION, 2))

    asyncio.run(story())
