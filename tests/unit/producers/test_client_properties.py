"""What clients of Kafka and S3 are made with, and what is said when that makes no sense."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr

from consumers import s3 as reading_s3
from consumers.dead_letters import DeadLetterReader
from consumers.kafka.client import client_configuration, consumer_configuration, make_consumer
from consumers.kafka.follower import Follower, Start
from kascribe.configuration.librdkafka import DECIDED_BY_THE_RUNTIME
from producers import s3 as writing_s3
from producers.kafka import producer_configuration
from producers.outbox import AtLeastOnceOutbox
from producers.publisher import Publisher
from producers.shared_publisher import SharedPublisher
from producers.topics import ensure_topics
from schemas.errors import ConfigurationError
from schemas.settings import KafkaSettings, S3Settings
from tests.support.settings_sources import refusal

NOBODY = "127.0.0.1:9"
Open = Callable[[KafkaSettings], object]
PRODUCERS: dict[str, Open] = {
    "topics": lambda kafka: ensure_topics(kafka, {"audio.references": 1}, timeout_seconds=0.1),
    "publisher": Publisher,
    "gateway": SharedPublisher,
    "outbox": AtLeastOnceOutbox,
}
CONSUMERS: dict[str, Open] = {
    "runtime": lambda kafka: make_consumer(kafka, role="transcriber", on_commit=lambda _error, _partitions: None),
    "follower": lambda kafka: Follower(kafka, ["audio.transcripts"], start=Start.NOW),
    "dead letters": lambda kafka: DeadLetterReader(kafka, ["audio.references.dlq"]),
}


def with_properties(properties: Mapping[str, str]) -> KafkaSettings:
    """Return settings of a broker that is not there."""
    secrets = {name: SecretStr(value) for name, value in properties.items()}
    return KafkaSettings(bootstrap_servers=NOBODY, properties=secrets)


def configurations(kafka: KafkaSettings) -> list[dict[str, Any]]:
    """Return the properties of the clients of both sides."""
    return [
        producer_configuration(kafka, client_id="ours"),
        consumer_configuration(kafka, role="transcriber", client_id="ours"),
        consumer_configuration(
            kafka.model_copy(update={"group_protocol": "classic"}), role="transcriber", client_id="ours"
        ),
        client_configuration(kafka, client_id="ours"),
    ]


def test_records_of_transactions_that_were_aborted_are_never_read() -> None:
    """Neither by the group's member nor under any protocol, nor is a commit made that is not ours."""
    for protocol in ("consumer", "classic"):
        kafka = KafkaSettings.model_validate({"bootstrap_servers": NOBODY, "group_protocol": protocol})
        given = consumer_configuration(kafka, role="transcriber", client_id="ours")
        assert given["isolation.level"] == "read_committed"
        assert given["enable.auto.commit"] is False
        assert given["enable.auto.offset.store"] is False
        assert given["auto.offset.reset"] == "earliest"


def test_a_property_that_is_accepted_is_in_force() -> None:
    """What a client is given over the user's head is a property that the settings refuse."""
    names = {name for each in configurations(KafkaSettings()) for name in each}
    kafka = with_properties(dict.fromkeys(names, "the user's"))
    overruled = {name for each in configurations(kafka) for name, value in each.items() if value != "the user's"}
    assert overruled <= DECIDED_BY_THE_RUNTIME
    assert {each["client.id"] for each in configurations(kafka)} == {"the user's"}
    assert {each["client.id"] for each in configurations(KafkaSettings())} == {"ours"}


@pytest.mark.parametrize(
    "name",
    [
        "ACKS",
        "REQUEST_REQUIRED_ACKS",
        "ENABLE_IDEMPOTENCE",
        "AUTO_OFFSET_RESET",
        "ISOLATION_LEVEL",
        "ALLOW_AUTO_CREATE_TOPICS",
        "METADATA_BROKER_LIST",
    ],
)
def test_what_delivery_rests_on_is_refused_under_each_of_its_names(name: str) -> None:
    """An alias would otherwise be shown as in force, or lead a consumer to another cluster than its producer."""
    said = refusal({f"KASCRIBE_KAFKA_{name}": "1"})
    assert said.startswith(f"KASCRIBE_KAFKA_{name} cannot be set: delivery depends on it")


@pytest.mark.parametrize("opened", [*PRODUCERS.values(), *CONSUMERS.values()], ids=[*PRODUCERS, *CONSUMERS])
@pytest.mark.parametrize(
    ("properties", "message"),
    [
        (
            {"security.protocol": "ssl", "ssl.ca.location": "/nonexistent"},
            "librdkafka refuses KASCRIBE_KAFKA_SSL_CA_LOCATION: ssl.ca.location failed",
        ),
        (
            {"security.protocol": "ssl", "ssl.ca.pem": "secret"},
            "librdkafka refuses KASCRIBE_KAFKA_SSL_CA_PEM: failed to read certificate #0 from ssl.ca.pem",
        ),
        (
            {"security.protocol": "sasl_ssl", "sasl.mechanism": "GSSAPI"},
            "librdkafka refuses KASCRIBE_KAFKA_SASL_MECHANISM: No provider for SASL mechanism GSSAPI",
        ),
        (
            {"security.protocol": "sasl_ssl", "sasl.mechanism": "PLAIN"},
            (
                "librdkafka refuses KASCRIBE_KAFKA_SASL_MECHANISM and KASCRIBE_KAFKA_SECURITY_PROTOCOL: "
                "sasl.username and sasl.password must be set"
            ),
        ),
    ],
    ids=["no file", "no certificate", "no Kerberos", "no user"],
)
def test_properties_that_no_client_can_be_made_with_are_named(
    opened: Open, properties: dict[str, str], message: str
) -> None:
    """Whichever client is made first, the sentence has the variable and librdkafka's own reason."""
    with pytest.raises(ConfigurationError) as caught:
        opened(with_properties(properties))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("opened", list(PRODUCERS.values())[1:], ids=list(PRODUCERS)[1:])
def test_a_property_that_costs_a_producer_its_order_is_named(opened: Open) -> None:
    """More requests in flight than idempotence bears is refused by librdkafka, which names the property."""
    with pytest.raises(ConfigurationError, match=r"refuses KASCRIBE_KAFKA_MAX_IN_FLIGHT: `max.in.flight` must be"):
        opened(with_properties({"max.in.flight": "10"}))


@pytest.mark.parametrize("name", ["session.timeout.ms", "heartbeat.interval.ms", "group.protocol.type"])
def test_a_property_of_the_classic_protocol_is_named(name: str) -> None:
    """With KIP-848 the broker decides these; the sentence says so."""
    variable = "KASCRIBE_KAFKA_" + name.upper().replace(".", "_")
    with pytest.raises(ConfigurationError, match=rf"refuses {variable}: `{name}` is not supported for `group"):
        CONSUMERS["runtime"](with_properties({name: "6000"}))


@pytest.mark.parametrize(
    "opened", [reading_s3.create_client, partial(reading_s3.BucketProbe, bucket="audio"), writing_s3.create_client]
)
def test_an_address_where_no_store_can_be_is_named(opened: Callable[[S3Settings], object]) -> None:
    """Compose makes host names with underscores, which botocore refuses; credentials are not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        opened(S3Settings(endpoint_url="http://me:hush@my_minio:9000"))
    assert str(caught.value) == (
        "KASCRIBE_S3_ENDPOINT_URL is http://****@my_minio:9000, where no object store can be: write "
        "http://host:port, with a host name of letters, digits, dots and hyphens (no underscore)"
    )


@pytest.mark.parametrize("opened", [reading_s3.create_client, writing_s3.create_client])
def test_a_region_that_cannot_be_one_is_named(opened: Callable[[S3Settings], object]) -> None:
    """Botocore's reason, and where regions and profiles come from."""
    with pytest.raises(ConfigurationError, match=r"'my region' doesn't match .*\. Check KASCRIBE_S3_REGION"):
        opened(S3Settings(region="my region"))


@pytest.mark.parametrize("address", ["http://host:port", "http://host:70000", "http://:9000", "http://[host"])
@pytest.mark.parametrize("name", ["KASCRIBE_S3_ENDPOINT_URL", "KASCRIBE_VLLM_BASE_URL"])
def test_an_address_without_a_host_or_with_a_wrong_port_is_refused(name: str, address: str) -> None:
    """Told at the start, not by the first request."""
    assert f"{name} is '{address}': it should name a host, and a port from 1 to 65535" in refusal({name: address})
