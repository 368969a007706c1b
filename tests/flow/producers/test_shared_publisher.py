"""The gateway's publisher on a broker: many threads, one client, which may break."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from kascribe.wiring.gateway import opened_services
from producers.shared_publisher import SharedPublisher
from producers.topics import ensure_topics
from schemas.errors import DependencyDown
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import Topics
from schemas.settings import KafkaSettings, S3Settings, Settings
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.support.waiting import eventually

PRODUCE: Final = 0
OUT_OF_ORDER_SEQUENCE_NUMBER: Final = 45
TOPIC: Final = "audio.references"


@pytest.fixture
def publisher(broker: MockCluster) -> Iterator[SharedPublisher]:
    """Open a publisher to a broker with one topic."""
    broker.create_topic(TOPIC)
    opened = SharedPublisher(KafkaSettings(bootstrap_servers=broker.bootstrap_servers))
    yield opened
    opened.close()


def test_each_caller_waits_for_its_own_records(publisher: SharedPublisher, broker: MockCluster) -> None:
    """When a call returns, the broker has its records; other callers wait for theirs."""
    with ThreadPoolExecutor(8) as callers:
        list(callers.map(publisher.publish, [[record(b"%d" % n)] for n in range(40)]))
    assert {each.value for each in records_on(broker.bootstrap_servers, TOPIC, count=40)} == {
        b"%d" % n for n in range(40)
    }


def test_a_producer_that_breaks_for_good_is_replaced(publisher: SharedPublisher, broker: MockCluster) -> None:
    """A fatal error of the client (a lost sequence) costs one request at most, not every one from then on."""
    broker.fail_next(PRODUCE, OUT_OF_ORDER_SEQUENCE_NUMBER)
    with pytest.raises(DependencyDown):
        publisher.publish([record(b"unlucky")])
    eventually(lambda: _is_published(publisher, b"next"), timeout_seconds=30, what="a publisher that works again")
    assert b"next" in {each.value for each in records_on(broker.bootstrap_servers, TOPIC, count=1)}


def test_what_is_being_published_when_the_gateway_ends_is_published(broker: MockCluster) -> None:
    """The cancellation of a client's leaving is not dropped because the gateway stops as well."""
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    ensure_topics(kafka, dict.fromkeys(Topics().all, 1))
    settings = Settings(kafka=kafka, s3=S3Settings(bucket="audio", endpoint_url="http://127.0.0.1:9"))

    async def end_while_publishing() -> None:
        async with opened_services(settings) as services:
            broker.delay_answers(1_000)
            publish = services.jobs.clients.publisher.publish
            publishing = asyncio.get_running_loop().run_in_executor(
                services.jobs.clients.calling, publish, [record(b"v")]
            )
        await publishing

    asyncio.run(end_while_publishing())
    broker.delay_answers(0)
    assert [each.value for each in records_on(broker.bootstrap_servers, TOPIC, count=1, partitions=4)] == [b"v"]


def record(value: bytes) -> OutgoingRecord:
    """Build a record of the one topic."""
    return OutgoingRecord(TOPIC, b"key", value)


def _is_published(publisher: SharedPublisher, value: bytes) -> bool:
    try:
        publisher.publish([record(value)])
    except DependencyDown:
        return False
    return True
