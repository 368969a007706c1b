"""A bad object that its store announces twice, from the notifications to what subscribers read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from schemas.kafka import dead_letters
from schemas.kafka.topics import Topics, dead_letter_topic, retry_topic
from schemas.settings import S3Settings
from tests.contract.transcriber.stage_jobs import notification, stage_on
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import Running, committed, running, send, settings_for
from tests.sound.wav_listener import WavListener
from tests.support.object_store import ObjectStore, running_object_store
from tests.support.waiting import eventually

TOPICS: Final = Topics()
GROUP: Final = "test.transcriber"


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """Run an S3 server in this process."""
    with running_object_store() as store:
        yield store


@contextmanager
def transcribing(broker: MockCluster, settings: S3Settings) -> Iterator[Running]:
    """Run a transcriber."""
    for topic in (TOPICS.references, TOPICS.objects):
        for name in (topic, retry_topic(topic, 1), dead_letter_topic(topic)):
            broker.create_topic(name)
    for topic in (TOPICS.progress, TOPICS.transcripts):
        broker.create_topic(topic)
    with running(stage_on(settings, WavListener()), settings_for(broker.bootstrap_servers)) as started:
        yield started


def test_two_notifications_of_a_bad_object_give_one_letter_and_one_failed_event(
    broker: MockCluster, store: ObjectStore
) -> None:
    """Both records complete. Only events that the broker has confirmed count; progress on the way does not."""
    settings = store.settings()
    store.client.put_object(Bucket=settings.bucket, Key="bad.wav", Body=b"not audio")
    value = notification(settings.bucket, "bad.wav", time="2026-11-22T09:00:00Z").decode()
    with transcribing(broker, settings) as started:
        send(broker.bootstrap_servers, [value, value], topic=TOPICS.objects)
        eventually(
            lambda: committed(broker.bootstrap_servers, topic=TOPICS.objects, group=GROUP)[0][0] == 2,
            timeout_seconds=60,
        )
        started.stop()
        letter_topic = dead_letter_topic(TOPICS.objects)
        published = {
            topic: started.sample("kascribe_records_published_total", topic=topic)
            for topic in (letter_topic, TOPICS.progress)
        }
        settled = {
            outcome: started.sample("kascribe_records_settled_total", topic=TOPICS.objects, outcome=outcome)
            for outcome in ("dead_lettered", "completed")
        }
    assert published == {letter_topic: 1, TOPICS.progress: 1}
    assert settled == {"dead_lettered": 1, "completed": 1}
    (letter,) = records_on(broker.bootstrap_servers, letter_topic, count=1)
    assert dead_letters.read(letter).reason == "audio_undecodable"
