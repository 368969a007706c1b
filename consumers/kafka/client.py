"""The Kafka client: its configuration, how it is opened, and its messages as records."""

import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from operator import methodcaller
from typing import Any, Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.kafka.delivery import Partition
from schemas.kafka.records import Headers, Record
from schemas.kafka.topics import origin_topic, retry_delay_seconds, retry_topic
from schemas.settings import KafkaSettings
from schemas.settings.client_refusals import kafka_refusal

PREFETCH_KILOBYTES: Final = 16 * 1024
"""Prefetch beyond the records in flight. It only has to keep polls cheap, and records are small."""

PREFETCH_RECORDS: Final = 5_000

METADATA_SECONDS: Final = 10.0
"""Timeout of a request for the list of topics."""

_log: Final = structlog.get_logger(__name__)
_NOT_ERRORS: Final = frozenset({KafkaError._PARTITION_EOF})  # noqa: SLF001 - the client's public name for it

_DEFAULTS: Final[Mapping[str, Any]] = {
    "queued.max.messages.kbytes": PREFETCH_KILOBYTES,
    "queued.min.messages": PREFETCH_RECORDS,
    # The default of 1 s stalls a consumer that empties the prefetch queue faster than that.
    "fetch.queue.backoff.ms": 10,
    # Where a new record does not wake the fetch in progress, it waits for the partition's next one: half a second
    # per hop by default, on librdkafka's own broker (measured). Ten empty fetches a second cost nothing.
    "fetch.wait.max.ms": 100,
    "socket.keepalive.enable": True,
}

_STRATEGIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "classic": {"partition.assignment.strategy": "cooperative-sticky"},
    # The broker's default, uniform, counts partitions of all topics together: a second process may get those of
    # the retry topics alone, and no work (`make bench-scale`). Range divides each topic by itself.
    "consumer": {"group.remote.assignor": "range"},
}


def client_configuration(settings: KafkaSettings, *, client_id: str) -> dict[str, Any]:
    """Return the properties that all clients of this process share. Only here are secret properties revealed."""
    revealed = {name: value.get_secret_value() for name, value in settings.properties.items()}
    return {"client.id": client_id, **revealed, "bootstrap.servers": settings.bootstrap_servers}


def consumer_configuration(settings: KafkaSettings, *, role: str, client_id: str) -> dict[str, Any]:
    """Return a group member's properties. Those that the delivery guarantee depends on cannot be overridden."""
    return {
        **_DEFAULTS,
        **_STRATEGIES[settings.group_protocol],
        **client_configuration(settings, client_id=client_id),
        "group.id": group_id(settings, role),
        "group.protocol": settings.group_protocol,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "allow.auto.create.topics": False,
    }


def group_id(settings: KafkaSettings, role: str) -> str:
    """Return the name of the role's consumer group."""
    return f"{settings.group_id_prefix}{role}"


def make_client_id(role: str) -> str:
    """Return this process's name for the broker: ``kascribe-transcriber-host-pid``."""
    return f"kascribe-{role}-{socket.gethostname()}-{os.getpid()}"


def subscription(
    topics: Sequence[str], retried_topics: Sequence[str], retry_delays_seconds: Sequence[int]
) -> list[str]:
    """Return the topics, and the retry topics of those that have them."""
    retries = [retry_topic(topic, delay) for topic in retried_topics for delay in retry_delays_seconds]
    return [*topics, *dict.fromkeys(retries)]


def former_retry_topics(consumer: Consumer, subscribed: Sequence[str], retried_topics: Sequence[str]) -> list[str]:
    """Return the existing retry topics of delays that are no longer set: their records would never be read.

    Blocks for one request. Empty if it fails: the next process that starts finds them.
    """
    try:
        existing = consumer.list_topics(timeout=METADATA_SECONDS).topics
    except KafkaException as error:
        _log.warning("retry topics cannot be listed", error=str(error))
        return []
    former = [
        name
        for name in sorted(existing)
        if name not in subscribed
        and retry_delay_seconds(name) is not None
        and origin_topic(name) in retried_topics
    ]
    if former:
        _log.info("reading retry topics of former delays too", topics=former)
    return former


def to_record(message: Message) -> Record:
    """Convert a message that has no error. Headers keep their order and their duplicates.

    A record with unreadable headers is processed without headers: its key and value are intact, and contain
    everything that a consumer needs.
    """
    return Record(
        message.topic(),  # type: ignore[arg-type]
        message.partition(),  # type: ignore[arg-type]
        message.offset(),  # type: ignore[arg-type]
        message.key(),
        message.value(),
        _headers(message),
        message.timestamp()[1],
    )


# ``message.headers()`` may return a broken tuple and set an exception at the same time. CPython 3.11 checks for
# that in a general call, but not in the specialized call that it uses for code that runs often.
_CHECKED_HEADERS: Final = methodcaller("headers")


def _headers(message: Message) -> Headers:
    try:
        headers = _CHECKED_HEADERS(message)
    except (SystemError, UnicodeDecodeError) as error:
        # A header's name that is not UTF-8. A second call would return a tuple that crashes the process.
        place = f"{message.topic()}[{message.partition()}]@{message.offset()}"
        _log.warning("record headers cannot be read; processing without them", record=place, error=str(error))
        return ()
    return tuple(headers) if headers else ()


def is_fatal(error: KafkaError) -> bool:
    """Return whether the client cannot recover. An error that arrives as a message has only its code to tell."""
    return error.fatal() or error.code() == KafkaError._FATAL  # noqa: SLF001 - the client's public name for it


def records_of(messages: Sequence[Message], on_error: Callable[[KafkaError], None]) -> list[Record]:
    """Convert messages to records; pass errors to ``on_error``, which raises on a fatal one."""
    records = []
    for message in messages:
        error = message.error()
        if error is None:
            records.append(to_record(message))
        elif error.code() not in _NOT_ERRORS:
            on_error(error)
    return records


def positions(partitions: Sequence[Partition]) -> list[TopicPartition]:
    """Convert partitions to the client's type."""
    return [TopicPartition(topic, number) for topic, number in partitions]


def keys(partitions: Sequence[TopicPartition]) -> list[Partition]:
    """Convert the client's partitions back; the inverse of ``positions``."""
    return [(partition.topic, partition.partition) for partition in partitions]


OnCommit = Callable[[KafkaError | None, list[TopicPartition]], None]


def make_consumer(settings: KafkaSettings, *, role: str, on_commit: OnCommit) -> Consumer:
    """Open a group member that has not subscribed yet. Raises ConfigurationError for invalid properties."""
    configuration = consumer_configuration(settings, role=role, client_id=make_client_id(role))
    return open_consumer(settings, {**configuration, "on_commit": on_commit})


def open_consumer(settings: KafkaSettings, configuration: Mapping[str, Any]) -> Consumer:
    """Open a consumer that logs through our log. Connects later; raises ConfigurationError for invalid
    properties.
    """
    try:
        return Consumer(dict(configuration), logger=logging.getLogger("kafka.consumer"))
    except KafkaException as error:
        raise kafka_refusal(error.args[0].str(), settings) from error
