"""The configuration of every producer, and the calls to the client that all producers share."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from schemas.kafka.records import OutgoingRecord
from schemas.settings import KafkaSettings
from schemas.settings.client_refusals import kafka_refusal

_log: Final = structlog.get_logger(__name__)
_librdkafka: Final = logging.getLogger("kafka.producer")

RECORD_LIMIT_BYTES: Final = 4 * 1024**2
"""The client's limit; the broker has its own. Dead letters are larger than their original records."""

DELIVERY_TIMEOUT_MS: Final = 30_000
"""The client reports a record that the broker has not confirmed by then as failed; the outbox retries it."""

LINGER_MS: Final = 5

REFUSALS: Final = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD}
)
"""Errors of the broker (or the client) for a record that it will never accept."""

_DEFAULTS: Final[Mapping[str, Any]] = {
    "linger.ms": LINGER_MS,
    "message.max.bytes": RECORD_LIMIT_BYTES,
    "message.timeout.ms": DELIVERY_TIMEOUT_MS,
    "socket.keepalive.enable": True,
    # The Java clients' choice: every client sends a key to the same partition.
    "partitioner": "murmur2_random",
}


def producer_configuration(settings: KafkaSettings, *, client_id: str = "kascribe-producer") -> dict[str, Any]:
    """Return properties for a producer that neither loses nor duplicates what the broker confirms.

    The only place of the writing side that reveals secrets. Properties of the settings override the defaults, but
    not those on which the delivery guarantee depends.
    """
    revealed = {name: value.get_secret_value() for name, value in settings.properties.items()}
    return {
        "client.id": client_id,
        **_DEFAULTS,
        **revealed,
        "bootstrap.servers": settings.bootstrap_servers,
        "enable.idempotence": True,
        "acks": "all",
    }


def open_producer(settings: KafkaSettings, configuration: Mapping[str, Any]) -> Producer:
    """Open a producer that uses our log. Connects later; raises ConfigurationError for refused properties."""
    try:
        return Producer(dict(configuration), logger=_librdkafka)
    except KafkaException as error:
        raise kafka_refusal(error.args[0].str(), settings) from error


def open_admin(settings: KafkaSettings, configuration: Mapping[str, Any]) -> AdminClient:
    """Open an admin client likewise. Poll it to have its log lines written."""
    try:
        return AdminClient(dict(configuration), logger=_librdkafka)
    except KafkaException as error:
        raise kafka_refusal(error.args[0].str(), settings) from error


def produce(producer: Producer, record: OutgoingRecord, on_delivery: Any = None) -> None:
    """Add a record to the client's queue.

    Raises BufferError when that is full, and KafkaException when the client refuses the record.
    """
    headers: list[tuple[str, str | bytes | None]] = list(record.headers)
    producer.produce(record.topic, record.value, record.key, on_delivery=on_delivery, headers=headers)


def report(producer: Producer, record: OutgoingRecord) -> None:
    """Publish best effort, in no particular order. Never blocks or raises; the record may be lost."""
    try:
        produce(producer, record)
    except (BufferError, KafkaException, RuntimeError) as error:  # RuntimeError: the client is closed
        _log.debug("report dropped", topic=record.topic, error=str(error))


def discard(producer: Producer) -> None:
    """Close the client at once and drop what was not delivered. Does not block. Safe to repeat."""
    # A broken client, a closed one, and one whose transaction only its successor can abort.
    with suppress(KafkaException, RuntimeError, RuntimeWarning, SystemError):
        producer.purge()
        producer.close()
