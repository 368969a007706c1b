"""What every producer is configured with."""

from pydantic import SecretStr

from producers.kafka import RECORD_LIMIT_BYTES, producer_configuration
from schemas.settings import KafkaSettings


def test_settings_reach_the_client_and_secrets_are_revealed_to_it_alone() -> None:
    """The configuration has the password; the settings' own text does not."""
    settings = KafkaSettings(
        bootstrap_servers="broker:9092",
        properties={"sasl.password": SecretStr("sesame"), "linger.ms": SecretStr("50")},
    )
    configuration = producer_configuration(settings, client_id="me")
    assert configuration["bootstrap.servers"] == "broker:9092"
    assert configuration["client.id"] == "me"
    assert configuration["sasl.password"] == "sesame"
    assert configuration["linger.ms"] == "50"
    assert configuration["message.max.bytes"] == RECORD_LIMIT_BYTES
    assert "sesame" not in repr(settings)


def test_what_the_delivery_guarantee_rests_on_cannot_be_turned_off() -> None:
    """Idempotence and acknowledgement by all replicas stay, whatever the properties say."""
    properties = {"enable.idempotence": SecretStr("false"), "acks": SecretStr("1")}
    configuration = producer_configuration(KafkaSettings(properties=properties))
    assert configuration["enable.idempotence"] is True
    assert configuration["acks"] == "all"
