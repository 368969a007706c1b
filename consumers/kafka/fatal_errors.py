"""Fatal errors of the Kafka client as messages to the operator: the cause, and what to do. Pure."""

from typing import Final

from confluent_kafka import KafkaError

from consumers.kafka.client import group_id
from schemas.errors import ClientBroken, InstanceIdInUse
from schemas.settings import KafkaSettings

INSTANCE_ID: Final = "group.instance.id"

_INSTANCE_CODES: Final = (KafkaError.UNRELEASED_INSTANCE_ID, KafkaError.FENCED_INSTANCE_ID)


def client_broken(error: KafkaError, settings: KafkaSettings, *, role: str) -> ClientBroken:
    """Return the error that ends the process."""
    group, cause = group_id(settings, role), error.str()
    if _is_about(error, *_INSTANCE_CODES):
        instance = settings.properties.get(INSTANCE_ID)
        name = instance.get_secret_value() if instance else "unknown"
        kind = InstanceIdInUse if _is_about(error, KafkaError.UNRELEASED_INSTANCE_ID) else ClientBroken
        return kind(
            f"another member of the group {group} has the instance id {name} ({cause}): give each process "
            "an id of its own in KASCRIBE_KAFKA_GROUP_INSTANCE_ID; after a kill, wait until the broker misses the "
            "old one"
        )
    if _is_about(error, KafkaError.GROUP_AUTHORIZATION_FAILED):
        return ClientBroken(
            f"the broker does not let this user be a member of the group {group} ({cause}): allow it READ on the "
            "group, then start the process again"
        )
    return ClientBroken(f"the Kafka client of the group {group} cannot go on: {cause}; start the process again")


def _is_about(error: KafkaError, *codes: int) -> bool:
    """Compare the code and the text: librdkafka wraps the broker's code in one of its own."""
    return any(error.code() == code or KafkaError(code).str() in error.str() for code in codes)
