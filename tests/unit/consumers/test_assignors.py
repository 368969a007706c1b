"""How partitions are divided among the processes of a role."""

from consumers.kafka.client import consumer_configuration
from schemas.settings import KafkaSettings


def configured(**given: object) -> dict[str, object]:
    """Return a transcriber's properties."""
    return consumer_configuration(KafkaSettings.model_validate(given), role="transcriber", client_id="c")


def test_each_topic_is_divided_by_itself() -> None:
    """The broker's default counts all topics together, so one process may get every partition that has work."""
    assert configured()["group.remote.assignor"] == "range"
    assert "partition.assignment.strategy" not in configured()


def test_the_classic_protocol_has_its_own_assignor() -> None:
    """And refuses the property of the other one."""
    classic = configured(group_protocol="classic")
    assert classic["partition.assignment.strategy"] == "cooperative-sticky"
    assert "group.remote.assignor" not in classic


def test_a_user_may_choose_another_assignor() -> None:
    """Where a broker's settings allow uniform alone."""
    assert configured(properties={"group.remote.assignor": "uniform"})["group.remote.assignor"] == "uniform"
