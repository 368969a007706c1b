"""The Kafka client's configuration, and its messages as records."""

import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from operator import methodcaller
from typing import Any, Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.client_refusals import kafka_refusal
from schemas.kafka.delivery import Partition
from schemas.kafka.records import Headers, Record
from schemas.kafka.topics import origin_topic, retry_delay_seconds, retry_topic
from schemas.settings import KafkaSettings

OFFSET_UNKNOWN: Final = -1001
"""librdkafka's ``RD_KAFKA_OFFSET_INVALID``: nothing is committed."""

PREFETCH_KILOBYTES: Final = 16 * 1024
"""Records are small; what librdkafka holds beyond what is in flight is only there to keep polls cheap."""

PREFETCH_RECORDS: Final = 5_000

METADATA_SECONDS: Final = 10.0
"""For the broker to say which topics there are."""

_log: Final = structlog.get_logger(__name__)
_NOT_ERRORS: Final = frozenset({KafkaError._PARTITION_EOF})  # noqa: SLF001 - the client's public name for it
_OF_MEMBERS: Final = frozenset({"group.instance.id", "max.poll.interval.ms", "session.timeout.ms"})
"""Properties of a group's members, of which any other client complains."""

_DEFAULTS: Final[Mapping[str, Any]] = {
    "queued.max.messages.kbytes": PREFETCH_KILOBYTES,
    "queued.min.messages": PREFETCH_RECORDS,
    # The default of a second stalls whoever empties the prefetch queue faster than that.
    "fetch.queue.backoff.ms": 10,
    # A new record waits for the partition's next fetch wherever it does not wake the one under way: half a second
    # per hop by default, on librdkafka's own broker (measured). Ten empty fetches a second cost nothing.
    "fetch.wait.max.ms": 100,
    "socket.keepalive.enable": True,
}


def client_configuration(settings: KafkaSettings, *, client_id: str) -> dict[str, Any]:
    """What every client of this process shares. The only place where secret properties are revealed."""
    revealed = {name: value.get_secret_value() for name, value in settings.properties.items()}
    return {"client.id": client_id, **revealed, "bootstrap.servers": settings.bootstrap_servers}


def consumer_configuration(settings: KafkaSettings, *, role: str, client_id: str) -> dict[str, Any]:
    """The group member's configuration. What the delivery guarantee rests on cannot be overridden."""
    strategy = (
        {"partition.assignment.strategy": "cooperative-sticky"} if settings.group_protocol == "classic" else {}
    )
    return {
        **_DEFAULTS,
        **strategy,
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
    """The role's consumer group."""
    return f"{settings.group_id_prefix}{role}"


def make_client_id(role: str) -> str:
    """Names this process to the broker: ``kascribe-transcriber-host-pid``."""
    return f"kascribe-{role}-{socket.gethostname()}-{os.getpid()}"


def subscription(topics: Sequence[str], retry_delays_seconds: Sequence[int]) -> list[str]:
    """The topics and their retry topics."""
    retries = [retry_topic(topic, delay) for topic in topics for delay in retry_delays_seconds]
    return [*topics, *dict.fromkeys(retries)]


def former_retry_topics(consumer: Consumer, subscribed: Sequence[str]) -> list[str]:
    """Retry topics of delays that were set once; their records would else wait for ever. Blocks for a request.

    None when the broker does not say; they are found by the next process that asks.
    """
    try:
        there = consumer.list_topics(timeout=METADATA_SECONDS).topics
    except KafkaException as error:
        _log.warning("the broker does not say which retry topics there are", error=str(error))
        return []
    former = [
        name
        for name in sorted(there)
        if name not in subscribed and retry_delay_seconds(name) is not None and origin_topic(name) in subscribed
    ]
    if former:
        _log.info("retry topics of former delays are read as well", topics=former)
    return former


def to_record(message: Message) -> Record:
    """The record in a message that has no error. Headers keep their order and their duplicates.

    A record whose headers cannot be read goes on without any: its key and value are sound, and what a reader of
    ours needs is in them.
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


# ``message.headers()`` may return a broken tuple and set an exception at once. The interpreter looks for that in
# its general way of calling, not in the short one that it takes for what it has called often (CPython 3.11).
_CHECKED_HEADERS: Final = methodcaller("headers")


def _headers(message: Message) -> Headers:
    try:
        headers = _CHECKED_HEADERS(message)
    except (SystemError, UnicodeDecodeError) as error:
        # A header's name that is not UTF-8. Asked again, the client answers with a tuple that ends the process.
        place = f"{message.topic()}[{message.partition()}]@{message.offset()}"
        _log.warning("a record's headers cannot be read; it goes on without them", record=place, error=str(error))
        return ()
    return tuple(headers) if headers else ()


def is_fatal(error: KafkaError) -> bool:
    """Whether the client can never go on. An error that arrives as a message says so by its code alone."""
    return error.fatal() or error.code() == KafkaError._FATAL  # noqa: SLF001 - the client's public name for it


def records_of(messages: Sequence[Message], on_error: Callable[[KafkaError], None]) -> list[Record]:
    """The records among messages; errors go to ``on_error``, which raises when one is fatal."""
    records = []
    for message in messages:
        error = message.error()
        if error is None:
            records.append(to_record(message))
        elif error.code() not in _NOT_ERRORS:
            on_error(error)
    return records


def positions(partitions: Sequence[Partition]) -> list[TopicPartition]:
    """The partitions as the client wants them."""
    return [TopicPartition(topic, number) for topic, number in partitions]


def keys(partitions: Sequence[TopicPartition]) -> list[Partition]:
    """The inverse of ``positions``."""
    return [(partition.topic, partition.partition) for partition in partitions]


OnCommit = Callable[[KafkaError | None, list[TopicPartition]], None]


def make_consumer(settings: KafkaSettings, *, role: str, on_commit: OnCommit) -> Consumer:
    """A group member that has not subscribed yet. Raises ConfigurationError for properties that make no sense."""
    configuration = consumer_configuration(settings, role=role, client_id=make_client_id(role))
    return open_consumer(settings, {**configuration, "on_commit": on_commit})


def open_consumer(settings: KafkaSettings, configuration: Mapping[str, Any]) -> Consumer:
    """A consumer that speaks through our log. Connects later; raises ConfigurationError when it is refused."""
    try:
        return Consumer(dict(configuration), logger=logging.getLogger("kafka.consumer"))
    except KafkaException as error:
        raise kafka_refusal(error.args[0].str(), settings) from error


def open_admin(settings: KafkaSettings, configuration: Mapping[str, Any]) -> AdminClient:
    """The same for an admin client, which says its lines when it is polled."""
    asked = {name: value for name, value in configuration.items() if name not in _OF_MEMBERS}
    try:
        return AdminClient(asked, logger=logging.getLogger("kafka.admin"))
    except KafkaException as error:
        raise kafka_refusal(error.args[0].str(), settings) from error
