"""librdkafka's properties under our names: ``KASCRIBE_KAFKA_SASL_USERNAME`` is ``sasl.username``."""

from enum import Enum
from typing import Final

DECIDED_BY_THE_RUNTIME: Final = frozenset(
    {
        "acks",
        "allow.auto.create.topics",
        "auto.commit.enable",
        "auto.offset.reset",
        "bootstrap.servers",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "enable.partition.eof",
        "group.id",
        "group.protocol",
        "isolation.level",
        "metadata.broker.list",
        "request.required.acks",
        "transactional.id",
    }
)
"""Properties on which the delivery guarantee depends, under each of librdkafka's names: another value would break
it, or be shown as effective although ours is."""

OFTEN_USED: Final = (
    "client.id",
    "client.rack",
    "compression.type",
    "debug",
    "fetch.max.bytes",
    "fetch.wait.max.ms",
    "group.instance.id",
    "linger.ms",
    "max.poll.interval.ms",
    "message.max.bytes",
    "message.timeout.ms",
    "sasl.kerberos.keytab",
    "sasl.kerberos.principal",
    "sasl.kerberos.service.name",
    "sasl.mechanism",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "session.timeout.ms",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "statistics.interval.ms",
)
"""For suggestions only. Every other property is accepted as well."""

_SECRET_WORDS: Final = ("password", "secret", "pem", "config", "assertion", "token")
_SENTINEL: Final = "kascribe.sentinel"


class PropertyStatus(Enum):
    """Whether librdkafka accepts a property."""

    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    BAD_VALUE = "bad value"


def property_names(capitals: str) -> tuple[str, str]:
    """Return the properties that ``SASL_USERNAME`` may name: with dots, or as it is (``log_level``)."""
    return capitals.lower().replace("_", "."), capitals.lower()


def is_secret(name: str) -> bool:
    """Return whether a property's value must be masked. Addresses of token endpoints may be shown."""
    return any(word in name for word in _SECRET_WORDS) and not name.endswith((".url", ".location"))


def check_property(name: str, value: str) -> tuple[PropertyStatus, str]:
    """Check one property with librdkafka; return the status and its error message. Creates no client."""
    # Imported late: the import takes a good part of a second, which help and completion need not spend.
    from confluent_kafka import KafkaException, Producer

    try:
        # Properties are set in order until one is refused. The second does not exist, so an error about it means
        # that the first was accepted. A client is never built.
        Producer({name: value, _SENTINEL: ""})
    except KafkaException as error:
        sentence = str(error.args[0].str())
    except TypeError:  # the client's own names, such as error_cb, take functions
        return PropertyStatus.UNKNOWN, f"{name} is not for settings"
    else:
        raise AssertionError(f"librdkafka accepted {_SENTINEL}")
    if _SENTINEL in sentence:
        return PropertyStatus.ACCEPTED, ""
    unknown = sentence.startswith(("No such configuration property", "Internal property"))
    return (PropertyStatus.UNKNOWN if unknown else PropertyStatus.BAD_VALUE), sentence
