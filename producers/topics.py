"""Creation of topics before they are read or written, and a probe of the broker."""

from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata
from confluent_kafka.cimpl import NewTopic

from producers.kafka import RECORD_LIMIT_BYTES, open_admin, producer_configuration
from schemas.errors import ConfigurationError, DependencyDown
from schemas.kafka.redrive_marks import TOPIC_PROPERTIES
from schemas.kafka.topics import DEAD_LETTER_SUFFIX, MARKS_SUFFIX, RETRY_INFIX
from schemas.settings import KafkaSettings

KAFKA: Final = "kafka"

REQUEST_TIMEOUT_SECONDS: Final = 15.0

REACH_SECONDS: Final = 3.5
"""For a broker's first answer to a command: the user gets an error within five seconds."""

DEAD_LETTER_RETENTION_MS: Final = 30 * 24 * 3600 * 1000
"""Operators need time to inspect dead letters: longer than a broker's default of seven days."""

_PRODUCER_PROPERTIES: Final = frozenset(
    {"linger.ms", "message.max.bytes", "message.timeout.ms", "partitioner", "enable.idempotence", "acks"}
)


def ensure_topics(
    settings: KafkaSettings, partitions: Mapping[str, int], *, timeout_seconds: float = REQUEST_TIMEOUT_SECONDS
) -> tuple[str, ...]:
    """Create the topics of ``partitions`` (name to number) that are missing, and return their names.

    Blocks for two requests; safe to repeat and to race. Raises ConfigurationError when topics are missing and may
    not be created, when the broker does not answer or refuses, or when the client refuses its properties.
    """
    configuration = producer_configuration(settings, client_id="kascribe-topics")
    properties = {name: value for name, value in configuration.items() if name not in _PRODUCER_PROPERTIES}
    admin = open_admin(settings, properties)
    cluster = _metadata(admin, settings, timeout_seconds)
    missing = tuple(name for name in partitions if name not in cluster.topics)
    if not missing:
        return ()
    if not settings.create_topics:
        raise ConfigurationError(
            f"topics are missing: {', '.join(missing)}. Create them, or set KASCRIBE_KAFKA_CREATE_TOPICS=true"
        )
    if cluster.controller_id not in (cluster.brokers or {}):
        # librdkafka's mock cluster: it has no CreateTopics, and creates a topic when its metadata is requested.
        for name in missing:
            admin.list_topics(name, timeout=timeout_seconds)
        return missing
    topics = [_new_topic(name, partitions[name], settings) for name in missing]
    for name, future in admin.create_topics(topics, request_timeout=timeout_seconds).items():
        try:
            future.result()
        except KafkaException as error:
            reason: KafkaError = error.args[0]
            if reason.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise ConfigurationError(
                    f"topic {name} cannot be created: {reason.str()}. Create it yourself, or allow this user to"
                ) from error
    return missing


def reach_broker(settings: KafkaSettings) -> None:
    """Block until the broker answers. Raises DependencyDown after REACH_SECONDS, with address and cause."""
    reasons: list[str] = []
    configuration = producer_configuration(settings, client_id="kascribe-reach")
    properties = {name: value for name, value in configuration.items() if name not in _PRODUCER_PROPERTIES}
    admin = open_admin(settings, {**properties, "error_cb": lambda error: reasons.append(error.str())})
    try:
        admin.list_topics(timeout=REACH_SECONDS)
    except KafkaException as error:
        admin.poll(0)  # delivers the client's errors: a refused connection, an untrusted certificate
        reason = reasons[0] if reasons else f"{error.args[0].str()} after {REACH_SECONDS:g} s"
        raise DependencyDown(
            KAFKA,
            f"no broker answers at {settings.bootstrap_servers} (KASCRIBE_KAFKA_BOOTSTRAP_SERVERS): {reason}",
        ) from error


def _metadata(admin: AdminClient, settings: KafkaSettings, timeout_seconds: float) -> ClusterMetadata:
    try:
        return admin.list_topics(timeout=timeout_seconds)
    except KafkaException as error:
        admin.poll(0)  # writes the client's own log lines, which say more: an untrusted certificate
        raise ConfigurationError(
            f"no broker answers at KASCRIBE_KAFKA_BOOTSTRAP_SERVERS={settings.bootstrap_servers}: "
            f"{error.args[0].str()}"
        ) from error


def _new_topic(name: str, partitions: int, settings: KafkaSettings) -> NewTopic:
    replication = settings.topic_replication
    return NewTopic(
        name, num_partitions=partitions, replication_factor=replication, config=_topic_properties(name)
    )


def _topic_properties(name: str) -> dict[str, str]:
    """Return the properties of a new topic; retries and dead letters have more headers, so they may be larger."""
    if name.endswith(MARKS_SUFFIX):
        return dict(TOPIC_PROPERTIES)
    properties = {}
    if name.endswith(DEAD_LETTER_SUFFIX) or RETRY_INFIX in name:
        properties["max.message.bytes"] = str(RECORD_LIMIT_BYTES)
    if name.endswith(DEAD_LETTER_SUFFIX):
        properties["retention.ms"] = str(DEAD_LETTER_RETENTION_MS)
    return properties
