"""Whether a role may use transactions, where its deliveries are promised exactly once."""

from collections.abc import Iterator
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from consumers.kafka.fatal_errors import INSTANCE_ID
from kascribe.operations.doctor.findings import Finding, failed, ok, warning
from kascribe.operations.doctor.kafka.broker import user_of
from kascribe.operations.doctor.kafka.requests import CLIENT_ID, is_silence
from producers.kafka import discard, open_producer, producer_configuration
from schemas.settings import KafkaSettings

TRANSACTIONS_SECONDS: Final = 10.0
"""On a new cluster the first request makes the topic of transactions."""

_REFUSALS: Final = (
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)


def check_transactions(settings: KafkaSettings, role: str, group: str) -> Iterator[Finding]:
    """Yield rows for a role's transactional ids, which all begin with the group's name and a hyphen.

    Begins to use an id that no role has, so that no role is fenced; no transaction is begun. Raises
    ConfigurationError for properties that the client refuses.
    """
    yield _tried(settings, role, f"{group}-")
    if INSTANCE_ID not in settings.properties:
        yield warning(
            f"instance: {role}",
            "transactional ids are random: readers wait 10 s for what a killed process left open",
            "set KASCRIBE_KAFKA_GROUP_INSTANCE_ID for each process, to a name that it keeps when it restarts",
        )


def _tried(settings: KafkaSettings, role: str, prefix: str) -> Finding:
    name = f"transactions: {role}"
    configuration = producer_configuration(settings, client_id=CLIENT_ID)
    producer = open_producer(settings, {**configuration, "transactional.id": f"{prefix}doctor"})
    try:
        producer.init_transactions(TRANSACTIONS_SECONDS)
    except KafkaException as error:
        return _refused(settings, name, prefix, error.args[0])
    finally:
        discard(producer)
    return ok(name, f"may use transactional ids such as {prefix}doctor")


def _refused(settings: KafkaSettings, name: str, prefix: str, error: KafkaError) -> Finding:
    if error.code() in _REFUSALS:
        rule = f"--transactional-id {prefix} --resource-pattern-type prefixed"
        return failed(
            name,
            f"may not use the transactional id {prefix}doctor: it needs WRITE and DESCRIBE on TransactionalId",
            f"kafka-acls --add --allow-principal User:{user_of(settings) or 'NAME'} --operation Write "
            f"--operation Describe {rule}",
        )
    if is_silence(error):
        return failed(
            name,
            f"no coordinator of transactions within {TRANSACTIONS_SECONDS:g} s",
            "see the broker's log: transaction.state.log.replication.factor and min.isr may exceed its brokers",
        )
    return failed(name, error.str(), "see the broker's log, or use KASCRIBE_RUNTIME_DELIVERY=at_least_once")
