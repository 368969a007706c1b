"""The ids of topics, as the broker reports them."""

from collections.abc import Mapping

from confluent_kafka import KafkaError, Uuid

from consumers.runtime.monitoring.topic_ids import TopicIdWatch
from schemas.settings import KafkaSettings
from tests.unit.runtime.monitoring.admin_double import AdminDouble


def _watch(received: list[Mapping[str, str]], *topics: str) -> TopicIdWatch:
    """Return a watch of these topics that runs what it posts at once."""
    watch = TopicIdWatch(KafkaSettings(), role="test", post=lambda command: command())
    watch.watch(topics, received.append)
    return watch


def test_the_ids_of_the_topics_that_exist_are_posted() -> None:
    """A topic that does not exist at the moment is left out, so that its known id stays."""
    received: list[Mapping[str, str]] = []
    client = AdminDouble()
    client.topic_ids = {"in": Uuid(1, 2), "other": Uuid(3, 4)}
    _watch(received, "in", "gone").poll_once(client)
    assert received == [{"in": str(Uuid(1, 2))}]


def test_nothing_is_posted_while_the_broker_does_not_answer() -> None:
    """The runtime then relies on offsets alone."""
    received: list[Mapping[str, str]] = []
    client = AdminDouble()
    client.error = KafkaError(KafkaError._TIMED_OUT)
    client.topic_ids = {"in": Uuid(1, 2)}
    _watch(received, "in").poll_once(client)
    assert received == []
