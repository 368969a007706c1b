"""A replica's event streams over a topic in memory, without HTTP and without Kafka."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final

from producers.gateway.events.board import Board
from producers.gateway.events.hub import JobHub
from producers.gateway.events.look_back import look_back
from producers.gateway.events.past import PastEvents
from producers.gateway.events.recall import Recall
from producers.gateway.events.sse import Message
from producers.gateway.events.state import JobState, KnownJob
from producers.gateway.events.states import JobStates
from producers.gateway.events.streams import JobStream, TenantStream
from schemas.events import Phase, ProgressEvent
from schemas.kafka.partitions import partition_of
from schemas.kafka.topics import Topics
from tests.contract.jobs.listed_history import ListedHistory
from tests.support.clock import HandClock
from tests.unit.producers.events.job_events import JOB, NOON, event, finished, record

PARTITIONS: Final = 3
PARTITION = partition_of(JOB.encode(), PARTITIONS)
EVENTS = (
    event(Phase.ACCEPTED, 0),
    event(Phase.TRANSCRIBING, 10, text="one", text_offset=0),
    event(Phase.TRANSCRIBING, 20, text="two"),
    event(Phase.TRANSCRIBING, 30, text="three"),
    event(Phase.COMPLETED, 51),
)
WHOLE = ["accepted", "one", "two", "three", "completed"]
"""The events of the job, and what a reader of all of them sees: its texts, and the names of others."""


class Topic:
    """The topic of progress, shared by replicas, and the bucket's objects by job."""

    def __init__(self) -> None:
        self.history = ListedHistory()
        self.stored: dict[str, KnownJob] = {}
        self.reads_of_bucket = 0
        self._replicas: list[JobHub] = []

    def publish(self, *events: ProgressEvent) -> None:
        """Append events, each to the partition of its job; every replica receives them."""
        for each in events:
            partition = partition_of(each.job_id.encode(), PARTITIONS)
            made = record(each, self.history.bounds(partition)[1], partition=partition)
            self.history.append(made)
            for hub in self._replicas:
                hub.take(made)

    def known(self, job_id: str) -> KnownJob:
        """Implement ``JobObjects``."""
        self.reads_of_bucket += 1
        return self.stored.get(job_id, KnownJob())

    @property
    def ends(self) -> Mapping[int, int]:
        """The ends of all partitions."""
        return {partition: self.history.bounds(partition)[1] for partition in range(PARTITIONS)}

    def follow(self, hub: JobHub) -> None:
        """Pass on what is published from now on."""
        self._replicas.append(hub)


class Replica:
    """One gateway's hub and states."""

    def __init__(self, topic: Topic, states: JobStates, clock: HandClock) -> None:
        self.topic = topic
        self.states = states
        self.hub = states.hub
        self.clock = clock

    async def find(self, job_id: str = JOB) -> JobState:
        """Return how a job stands, which must exist."""
        state = await self.states.find(job_id)
        assert state is not None
        return state

    async def follow_job(self, after: Any = None, *, tenant: str | None = "team") -> AsyncGenerator[Message, None]:
        """Open a stream of the job, which must have messages."""
        messages = await JobStream(self.states, await self.find(), tenant).open(after)
        assert messages is not None
        return messages

    async def follow_tenant(
        self, after: Any = None, *, tenant: str | None = "team"
    ) -> AsyncGenerator[Message, None]:
        """Open a stream of a tenant."""
        return await TenantStream(self.states, tenant).open(after)


@asynccontextmanager
async def replica(topic: Topic, *, looks_back: bool = False, board: Board | None = None) -> AsyncIterator[Replica]:
    """Open a replica that begins to follow the topic now, a minute after noon."""
    clock = HandClock()
    clock.seconds = NOON.timestamp() + 60
    hub = JobHub(Topics(), asyncio.get_running_loop(), board)
    if looks_back:
        look_back(hub, topic.history, topic.ends, clock=clock)
    else:
        hub.begin(topic.ends, complete_from=clock.now())
    topic.follow(hub)
    with ThreadPoolExecutor(2) as threads:
        recall = Recall(PastEvents(topic.history, hub, threads), clock)
        yield Replica(topic, JobStates(hub, topic, recall, threads), clock)


async def take(messages: AsyncGenerator[Message, None], count: int) -> list[Message]:
    """Return the next messages with data, so many."""
    found: list[Message] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            message = await anext(messages)
            found += [message] if message.data else []
    return found


async def take_all(messages: AsyncGenerator[Message, None]) -> list[Message]:
    """Return all messages with data until the stream ends."""
    async with asyncio.timeout(10):
        return [message async for message in messages if message.data]


def texts_of(messages: Iterable[Message]) -> list[str]:
    """Return the texts of the events, else their names."""
    return [json.loads(message.data).get("text") or message.event for message in messages]


def neighbour(second: float) -> ProgressEvent:
    """Return an event of another job in the same partition."""
    number = next(n for n in range(99) if partition_of(f"{n:032x}".encode(), PARTITIONS) == PARTITION)
    return event(Phase.TRANSCRIBING, second, job_id=f"{number:032x}", text="not ours")


def finish(topic: Topic) -> None:
    """Store the transcript, as the transcriber does before it publishes."""
    topic.stored[JOB] = KnownJob(finished=finished())
