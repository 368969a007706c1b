"""Publishing and topics on a broker."""

from typing import Final

import pytest

from producers.publisher import Publisher
from producers.topics import ensure_topics
from schemas.errors import ConfigurationError, NotDelivered
from schemas.kafka.records import OutgoingRecord
from schemas.settings import KafkaSettings
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on

UNREACHABLE: Final = KafkaSettings(bootstrap_servers="127.0.0.1:9")


def test_published_records_are_on_the_broker_when_publish_returns(broker: MockCluster) -> None:
    """Order, keys and headers are kept, and the number comes back."""
    broker.create_topic("audio.references")
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    records = [OutgoingRecord("audio.references", b"k", str(n).encode(), (("n", None),)) for n in range(50)]
    with Publisher(settings) as publisher:
        assert publisher.publish(records) == 50
    read = records_on(broker.bootstrap_servers, "audio.references", count=50)
    assert [record.value for record in read] == [record.value for record in records]
    assert read[0].headers == (("n", None),)


def test_publish_reports_how_many_records_were_not_confirmed() -> None:
    """No broker answers: the error counts and names the address."""
    record = OutgoingRecord("audio.references", None, b"v")
    message = r"0 of 1 records were delivered: no answer from 127\.0\.0\.1:9"
    with (
        Publisher(UNREACHABLE) as publisher,
        pytest.raises(NotDelivered, match=message),
    ):
        publisher.publish([record], timeout_seconds=0.2)


def test_a_record_that_is_too_large_is_refused_by_name() -> None:
    """The client checks its own limit, so no broker is needed."""
    record = OutgoingRecord("audio.references", None, b"v" * 5_000_000)
    message = r"0 of 1 records were delivered: one for audio\.references was refused"
    with (
        Publisher(UNREACHABLE) as publisher,
        pytest.raises(NotDelivered, match=message),
    ):
        publisher.publish([record], timeout_seconds=0.2)


def test_missing_topics_come_into_being_once(broker: MockCluster) -> None:
    """A broker that refuses CreateTopics, as the embedded one does, creates the topic on a metadata request."""
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    assert ensure_topics(settings, {"audio.references": 4, "audio.references.dlq": 1}) == (
        "audio.references",
        "audio.references.dlq",
    )
    assert ensure_topics(settings, {"audio.references": 4}) == ()


def test_missing_topics_that_may_not_be_created_are_named(broker: MockCluster) -> None:
    """The message names the topics and the variable."""
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, create_topics=False)
    with pytest.raises(ConfigurationError, match=r"audio\.objects.*KASCRIBE_KAFKA_CREATE_TOPICS"):
        ensure_topics(settings, {"audio.objects": 4})


def test_a_broker_that_does_not_answer_is_a_configuration_error() -> None:
    """The message names the variable and its value."""
    with pytest.raises(ConfigurationError, match=r"KASCRIBE_KAFKA_BOOTSTRAP_SERVERS=127\.0\.0\.1:9"):
        ensure_topics(UNREACHABLE, {"audio.objects": 4}, timeout_seconds=0.5)
