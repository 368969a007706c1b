"""The wiring of job states and event streams: the topics on one side, the board and the requests on the other."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from consumers.kafka.follower import FollowerThread
from consumers.kafka.history import TopicHistory
from producers.gateway.archive.deletions import RecentDeletions
from producers.gateway.events.hub import JobHub
from producers.gateway.events.look_back import look_back
from producers.gateway.events.past import PastEvents
from producers.gateway.events.recall import Recall
from producers.gateway.events.states import JobStates
from producers.gateway.events.stored import StoredJobs
from producers.gateway.interactive.answers import PendingAnswers
from schemas.clock import Clock
from schemas.kafka.partitions import MURMUR2
from schemas.kafka.records import Record
from schemas.settings import KafkaSettings, Settings

RECONNECT_SECONDS: Final = 2.0
"""Before the topics are followed again after a failure of the broker."""

READING_THREADS: Final = 4
"""For past events. Each has a client of its own."""


@contextmanager
def opened_states(
    answers: PendingAnswers,
    stored: StoredJobs,
    deletions: RecentDeletions,
    settings: Settings,
    *,
    calling: Executor,
    clock: Clock,
) -> Iterator[JobStates]:
    """Offer every record of the answer topics to ``answers``, to the hub of the states and to ``deletions``.

    From before the first request on; answers missed while the broker is down are found in the bucket. Raises
    DependencyDown without a broker. ``calling`` executes reads of the bucket.
    """
    topics = answers.topics
    hub = JobHub(topics, asyncio.get_running_loop())

    def offer(record: Record) -> None:
        answers.offer(record)
        hub.offer(record)
        deletions.offer(record)

    follower = FollowerThread(
        settings.kafka,
        (*topics.answers, topics.cancellations, topics.deletions),
        offer,
        name="answers",
        reconnect_seconds=RECONNECT_SECONDS,
    )
    with (
        TopicHistory(settings.kafka, topics.progress, name="event-history") as history,
        ThreadPoolExecutor(READING_THREADS, "reading") as reading,
    ):
        follower.connect()
        look_back(hub, history, follower.starts(topics.progress), clock=clock)
        follower.start()
        try:
            past = PastEvents(history, hub, reading)
            recall = Recall(past, clock, is_murmur2=_is_murmur2(settings.kafka))
            yield JobStates(hub, stored, recall, calling, lambda: follower.is_alive)
        finally:
            follower.stop()


def _is_murmur2(settings: KafkaSettings) -> bool:
    chosen = settings.properties.get("partitioner")
    return chosen is None or chosen.get_secret_value() in MURMUR2
