"""What the operator is told when the Kafka client cannot go on: the cause, and what to do. Pure."""

from typing import Final

from confluent_kafka import KafkaError

from consumers.kafka.client import group_id
from schemas.errors import ClientBroken, InstanceIdInUse
from schemas.settings import KafkaSettings

INSTANCE_ID: Final = "group.instance.id"

_INSTANCE_CODES: Final = (KafkaError.UNRELEASED_INSTANCE_ID, KafkaError.FENCED_INSTANCE_ID)


def broken(error: KafkaError, settings: KafkaSettings, *, role: str) -> ClientBroken:
    """The error to end with. librdkafka wraps the broker's code in its own, so its sentence is looked at too."""
    group, said = group_id(settings, role), error.str()
    if _speaks_of(error, *_INSTANCE_CODES):
        instance = settings.properties.get(INSTANCE_ID)
        name = instance.get_secret_value() if instance else "unknown"
        kind = InstanceIdInUse if _speaks_of(error, KafkaError.UNRELEASED_INSTANCE_ID) else ClientBroken
        return kind(
            f"another member of the group {group} has the instance id {name} ({said}): give each process an id of "
            "its own in KASCRIBE_KAFKA_GROUP_INSTANCE_ID; after a kill, wait until the broker misses the old one"
        )
    if _speaks_of(error, KafkaError.GROUP_AUTHORIZATION_FAILED):
        return ClientBroken(
            f"the broker does not let this user be a member of the group {group} ({said}): allow it READ on the "
            "group, then start the process again"
        )
    return ClientBroken(f"the Kafka client of the group {group} cannot go on: {said}; start the process again")


def _speaks_of(error: KafkaError, *codes: int) -> bool:
    return any(error.code() == code or KafkaError(code).str() in error.str() for code in codes)
