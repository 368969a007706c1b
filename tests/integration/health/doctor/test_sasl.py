"""Authentication, on a broker of its own that asks for it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from deploy.stack import default_cache, prepare
from deploy.stack.kafka import broker_command, broker_environment, format_storage
from deploy.stack.processes import end, start
from deploy.stack.state import BrokerPlan, Plan, free_port, new_plan
from kascribe.configuration.reading import load
from kascribe.operations.doctor.findings import State
from tests.integration.health.doctor.examined import Rows, examined
from tests.support.waiting import eventually

USER, PASSWORD = "alice", "open-sesame-of-the-test"
MECHANISMS: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"
BROKER_SECONDS: Final = 90.0


def asking_for_users(properties: Path, plan: Plan, broker: BrokerPlan) -> None:
    """Add a listener with SASL to a broker's properties; its own connections stay without."""
    inner = plan.brokers[0].controller_port
    lines = {
        "listeners": f"SASL_PLAINTEXT://127.0.0.1:{broker.port},CONTROLLER://127.0.0.1:{inner}",
        "advertised.listeners": f"SASL_PLAINTEXT://127.0.0.1:{broker.port}",
        "listener.security.protocol.map": "SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "security.inter.broker.protocol": "SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "super.users": "User:ANONYMOUS",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": (
            f'{MECHANISMS} required username="broker" password="{PASSWORD}" '
            f'user_broker="{PASSWORD}" user_{USER}="{PASSWORD}";'
        ),
    }
    with properties.open("a", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in lines.items())


@pytest.fixture(scope="module")
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the broker, and return its address."""
    request.getfixturevalue("stack_tools")
    directory = tmp_path_factory.mktemp("sasl") / "broker"
    with ExitStack() as held:
        port = free_port(held)
    plan = new_plan(brokers=1, kafka_port=port, minio_port=port, bucket="audio", notify_topic="audio.objects")
    servers = prepare(default_cache())
    format_storage(servers, plan, plan.brokers[0], directory)
    asking_for_users(directory / "server.properties", plan, plan.brokers[0])
    process = start(
        broker_command(servers, directory), log=directory / "server.log", environment=broker_environment()
    )
    try:
        eventually(
            lambda: rows_of(plan.bootstrap_servers, PASSWORD)["broker"].state is State.OK,
            timeout_seconds=BROKER_SECONDS,
            what=f"a broker ({directory / 'server.log'})",
        )
        yield plan.bootstrap_servers
    finally:
        end([process], grace_seconds=0)


def rows_of(address: str, password: str | None, *, user: str = USER) -> Rows:
    """Examine a reconciler's Kafka as a user."""
    overrides: dict[str, object] = {"kafka.bootstrap_servers": address}
    if password is not None:
        overrides |= {
            "kafka.properties.security.protocol": "SASL_PLAINTEXT",
            "kafka.properties.sasl.mechanism": "PLAIN",
            "kafka.properties.sasl.username": user,
            "kafka.properties.sasl.password": password,
        }
    found = examined(load(overrides=overrides).settings, "reconciler", areas=("Kafka",))
    return found if "broker" in found.findings else Rows({**found.findings, "broker": found["authentication"]})


def test_a_user_with_the_right_password_is_named(address: str) -> None:
    """And nothing of the password is."""
    rows = rows_of(address, PASSWORD)
    assert rows["authentication"].state is State.OK
    assert rows["authentication"].found == f"as {USER}"
    assert PASSWORD not in str(rows)


def test_a_wrong_password_is_told_from_a_broker_that_is_away(address: str) -> None:
    """The remedy names the settings of users."""
    found = rows_of(address, "wrong")["authentication"]
    assert found.state is State.FAILED
    assert "Authentication failed" in found.found or "authentication" in found.found.lower()
    assert "KASCRIBE_KAFKA_SASL_PASSWORD" in found.remedy


def test_a_plain_connection_to_a_listener_with_users_names_the_protocol(address: str) -> None:
    """Such a listener closes it without a word."""
    found = rows_of(address, None)["broker"]
    assert found.state is State.FAILED
    assert "KASCRIBE_KAFKA_SECURITY_PROTOCOL" in found.remedy
