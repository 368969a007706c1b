"""The probe of a consumer group while no broker answers."""

from consumers.kafka.group import GroupProbe
from schemas.roles import Role
from schemas.settings import KafkaSettings


def test_a_probe_without_an_answer_gives_its_client_up() -> None:
    """A request that times out inside librdkafka ends the process when the coordinator returns."""
    settings = KafkaSettings.model_validate({"bootstrap_servers": "127.0.0.1:9", "properties": {"log_level": "0"}})
    probe = GroupProbe(settings, role=Role.ENRICHER)
    assert not probe.has_member()
    assert probe._client is None
