"""A log on a broker, for the suite of histories."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import Producer

from consumers.kafka.history import TopicHistory
from schemas.settings import KafkaSettings
from tests.contract.jobs.history_suite import Log, moment


class KafkaLog(Log):
    """A topic on a broker."""

    def __init__(self, settings: KafkaSettings, topic: str, history: TopicHistory) -> None:
        self.history: TopicHistory = history
        self._topic = topic
        self._producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "log_level": 0})

    def send(self, partition: int, seconds: Sequence[int]) -> None:
        """As the suite says."""
        for second in seconds:
            milliseconds = int(moment(second).timestamp() * 1000)
            self._producer.produce(self._topic, b"%d" % second, b"k", partition=partition, timestamp=milliseconds)
        assert self._producer.flush(20) == 0


@contextmanager
def kafka_log(settings: KafkaSettings, topic: str) -> Iterator[KafkaLog]:
    """Open a log on an existing topic of two partitions."""
    with TopicHistory(settings, topic, name="test-history") as history:
        yield KafkaLog(settings, topic, history)
