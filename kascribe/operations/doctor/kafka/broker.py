"""The broker itself: whether it answers, accepts this user, and knows the requests that the settings need."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._metadata import ClusterMetadata

from kascribe.operations.doctor.findings import Finding, failed, ok
from kascribe.operations.doctor.kafka.requests import REQUEST_SECONDS, Connection, answers, is_silence
from schemas.settings import KafkaSettings

HEARTBEAT: Final = "ConsumerGroupHeartbeat"
"""The request of KIP-848's group protocol."""

_OLD_REQUEST: Final = ("CreateTopics", 2)
"""Kafka 4.0 dropped the versions of this request below this one. A broker does not tell its own version."""

TRY_SECONDS: Final = 2.0
"""Within this time, a broker that refuses has done so."""

_CAUSES: Final[Mapping[int, tuple[str, str]]] = {
    KafkaError._AUTHENTICATION: (  # noqa: SLF001 - the client's public names
        "authentication",
        "correct KASCRIBE_KAFKA_SASL_MECHANISM, KASCRIBE_KAFKA_SASL_USERNAME and KASCRIBE_KAFKA_SASL_PASSWORD",
    ),
    KafkaError._SSL: (  # noqa: SLF001
        "TLS",
        "correct KASCRIBE_KAFKA_SECURITY_PROTOCOL, or KASCRIBE_KAFKA_SSL_CA_LOCATION: who signed the certificate",
    ),
    KafkaError._RESOLVE: (  # noqa: SLF001
        "broker",
        "correct the host in KASCRIBE_KAFKA_BOOTSTRAP_SERVERS, or its entry in DNS",
    ),
}
_UNREACHED: Final = (
    "broker",
    "start it, or correct KASCRIBE_KAFKA_BOOTSTRAP_SERVERS (or KASCRIBE_KAFKA_SECURITY_PROTOCOL, for TLS or SASL)",
)


def check_broker(settings: KafkaSettings) -> Iterator[Finding]:
    """Yield whether any broker answers, and whether it accepts this user."""
    connection = Connection(settings)
    try:
        cluster = _metadata(connection)
    except KafkaException as error:
        yield _unreached(settings, error.args[0], connection.errors)
        return
    brokers = cluster.brokers or {}
    yield ok("broker", f"{settings.bootstrap_servers} answers: {len(brokers)} broker{'s' * (len(brokers) != 1)}")
    yield _user(settings)


def check_each_broker(settings: KafkaSettings) -> Iterator[Finding]:
    """Yield whether each broker answers at its own address, and which requests they know."""
    connection = Connection(settings)
    yield _each_broker(connection, connection.admin.list_topics(timeout=REQUEST_SECONDS))
    listening = Connection(settings, listens=True)
    listening.admin.list_topics(timeout=REQUEST_SECONDS)
    yield _features(listening, settings)


def _metadata(connection: Connection) -> ClusterMetadata:
    """Ask for the brokers until one answers. Raises KafkaException, early where the client has met a refusal."""
    tries = max(1, round(REQUEST_SECONDS / TRY_SECONDS))
    while True:
        tries -= 1
        try:
            return connection.admin.list_topics(timeout=TRY_SECONDS)
        except KafkaException:
            connection.admin.poll(0)  # delivers the client's errors
            if connection.errors or not tries:
                raise


def _unreached(settings: KafkaSettings, error: KafkaError, met: Sequence[KafkaError]) -> Finding:
    if not met:
        # Without a refusal the connection stands, or its first packets are lost on the way.
        found = f"no answer from {settings.bootstrap_servers} within {REQUEST_SECONDS:g} s"
        return failed("broker", found, "restart a broker that hangs; look for a firewall that drops packets")
    known = next((each for each in met if each.code() in _CAUSES), None)
    name, remedy = _CAUSES[known.code()] if known else _UNREACHED
    cause = known or next((each for each in met if each.code() != KafkaError._ALL_BROKERS_DOWN), error)  # noqa: SLF001
    return failed(name, f"no broker answers at {settings.bootstrap_servers}: {cause.str()}", remedy)


def user_of(settings: KafkaSettings) -> str | None:
    """Return the user that the settings name, if any."""
    name = settings.properties.get("sasl.username")
    return name.get_secret_value() if name else None


def _user(settings: KafkaSettings) -> Finding:
    user = user_of(settings)
    protocol = settings.properties.get("security.protocol")
    return ok(
        "authentication",
        f"as {user}" if user else f"not asked for ({protocol.get_secret_value() if protocol else 'plaintext'})",
    )


def _each_broker(connection: Connection, cluster: ClusterMetadata) -> Finding:
    """Ask each broker itself: clients connect to the address that it advertises, not to that of the settings."""
    brokers = cluster.brokers or {}
    resources = [ConfigResource(ConfigResource.Type.BROKER, str(number)) for number in brokers]
    asked = answers(connection.admin.describe_configs(resources, request_timeout=REQUEST_SECONDS))
    silent = [brokers[int(resource.name)] for resource, answer in asked.items() if is_silence(answer)]
    if silent:
        names = ", ".join(f"{each.id} at {each.host}:{each.port}" for each in silent)
        remedy = "let this machine reach the address that each broker advertises (advertised.listeners)"
        return failed("advertised addresses", f"no answer from broker {names}", remedy)
    return ok("advertised addresses", ", ".join(f"{each.host}:{each.port}" for each in brokers.values()))


def _features(connection: Connection, settings: KafkaSettings) -> Finding:
    known = connection.versions
    request, lowest = _OLD_REQUEST
    release = "Kafka 4.0 or later" if known.get(request, (0, 0))[0] >= lowest else "older than Kafka 4.0"
    has_protocol = HEARTBEAT in known
    if settings.group_protocol == "consumer" and not has_protocol:
        return failed(
            "version",
            f"{release}: it lacks KIP-848, which KASCRIBE_KAFKA_GROUP_PROTOCOL=consumer needs",
            "set KASCRIBE_KAFKA_GROUP_PROTOCOL=classic, or upgrade the brokers",
        )
    return ok("version", f"{release}; KIP-848 {'known' if has_protocol else 'unknown, and not needed'}")
