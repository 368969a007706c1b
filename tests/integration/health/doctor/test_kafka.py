"""Each failure of Kafka, provoked on a real broker: its row, its remedy, and no other row."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from consumers.kafka import follower
from kascribe.operations.doctor.findings import State
from kascribe.operations.doctor.kafka import broker
from tests.integration.health.doctor.examined import Installation, Rows, differences, examined, frozen, pid_of
from tests.support.waiting import eventually

GROUP, TOPIC, CLUSTER = ResourceType.GROUP, ResourceType.TOPIC, ResourceType.BROKER
TRANSACTIONAL_ID = ResourceType.TRANSACTIONAL_ID
EVERYTHING = (AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS)


@contextmanager
def allowed(
    installation: Installation, kind: ResourceType, name: str, *operations: AclOperation
) -> Iterator[None]:
    """Allow only these operations on a resource while the context lasts; without any, it cannot be seen."""
    admin = AdminClient({"bootstrap.servers": installation.stack.bootstrap_servers})
    pattern = ResourcePatternType.LITERAL
    # A rule for another user: from the first rule on, what no rule allows is refused.
    users = {"User:nobody": EVERYTHING, "User:ANONYMOUS": operations}
    rules = [
        AclBinding(kind, name, pattern, user, "*", operation, AclPermissionType.ALLOW)
        for user, rights in users.items()
        for operation in rights
    ]
    for made in admin.create_acls(rules).values():
        made.result()
    try:
        yield
    finally:
        any_rule = AclBindingFilter(
            kind,
            name,
            pattern,
            None,  # type: ignore[arg-type]  # any user
            None,  # type: ignore[arg-type]  # any host
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        for removed in admin.delete_acls([any_rule]).values():
            removed.result()


def with_property(installation: Installation, topic: str, name: str, value: str) -> None:
    """Set a property of a topic."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": installation.stack.bootstrap_servers})
    for answer in admin.incremental_alter_configs([resource]).values():
        answer.result()


def test_an_installation_that_is_well_has_no_failed_row(well: Rows) -> None:
    """A single broker keeps one replica, which is a warning."""
    assert well.named(State.FAILED) | well.named(State.SKIPPED) == set()
    assert well.named(State.WARNING) == {"replication"}
    assert "KIP-848 known" in well["version"].found
    assert "0 members" in well["group: transcriber"].found


@pytest.mark.parametrize(
    ("operations", "sentence", "remedy"),
    [
        ((AclOperation.READ, AclOperation.DESCRIBE), "may not write", "--operation Write --topic"),
        ((AclOperation.WRITE, AclOperation.DESCRIBE), "may not read", "--operation Read --topic"),
        ((), "may not see", "--operation Describe --topic"),
    ],
)
def test_a_right_on_a_topic_that_is_missing_is_named(
    installation: Installation,
    well: Rows,
    operations: tuple[AclOperation, ...],
    sentence: str,
    remedy: str,
) -> None:
    """With the command that gives it. Roles that do not use the topic are not affected."""
    topic = f"{installation.topics.references}.retry.10s"
    with allowed(installation, TOPIC, topic, *operations, AclOperation.DESCRIBE_CONFIGS):
        after = eventually(
            lambda: (
                rows if differences(well, rows := examined(installation.settings(), areas=("Kafka",))) else None
            ),
            timeout_seconds=30,
            what="the rule in force",
        )
    assert differences(well, after) == {"topics: transcriber": State.FAILED}
    found = after["topics: transcriber"]
    assert f"{sentence} {topic}" in found.found
    assert f"{remedy} {topic}" in found.remedy


def test_a_group_that_may_not_be_joined_is_named(installation: Installation, well: Rows) -> None:
    """The topics' rows stay as they are."""
    group = f"{installation.prefix}transcriber"
    with allowed(installation, GROUP, group, AclOperation.DESCRIBE):
        after = examined(installation.settings(), areas=("Kafka",))
    assert differences(well, after) == {"group: transcriber": State.FAILED}
    assert f"--operation Read --group {group}" in after["group: transcriber"].remedy


@pytest.mark.parametrize("operations", [(), (AclOperation.DESCRIBE,)])
def test_a_transactional_id_that_is_denied_is_named(
    installation: Installation, operations: tuple[AclOperation, ...]
) -> None:
    """Where deliveries are promised exactly once; without transactions no row asks for them."""
    promised = installation.settings(runtime__delivery="exactly_once")
    transactions = f"{installation.prefix}transcriber-"
    before = examined(promised, "transcriber", areas=("Kafka",))
    assert before["transactions: transcriber"].state is State.OK
    with allowed(installation, TRANSACTIONAL_ID, f"{transactions}doctor", *operations):
        after = eventually(
            lambda: (
                rows if differences(before, rows := examined(promised, "transcriber", areas=("Kafka",))) else None
            ),
            timeout_seconds=30,
            what="the rule in force",
        )
    assert differences(before, after) == {"transactions: transcriber": State.FAILED}
    assert "WRITE and DESCRIBE on TransactionalId" in after["transactions: transcriber"].found
    assert f"--transactional-id {transactions} " in after["transactions: transcriber"].remedy


def test_transactions_without_an_instance_id_are_a_warning(installation: Installation) -> None:
    """Its ids are random then, so no successor ends what a killed process left open."""
    name = "instance: transcriber"
    promised: dict[str, object] = {"runtime__delivery": "exactly_once"}
    found = examined(installation.settings(**promised), "transcriber", areas=("Kafka",))[name]
    assert (found.state, "KASCRIBE_KAFKA_GROUP_INSTANCE_ID" in found.remedy) == (State.WARNING, True)
    promised["kafka__properties__group__instance__id"] = "transcriber-1"
    rows = examined(installation.settings(**promised), "transcriber", areas=("Kafka",))
    assert name not in rows.findings
    assert rows["transactions: transcriber"].state is State.OK


def test_missing_topics_are_created_by_the_roles_or_named(installation: Installation) -> None:
    """Whether the broker would create them is asked without creating any."""
    elsewhere = installation.stack.new_prefix()
    created = examined(installation.settings(kafka__topic_prefix=elsewhere), "reconciler", areas=("Kafka",))
    assert created["topics"].state is State.OK
    assert "the roles will create them" in created["topics"].found
    refused = examined(
        installation.settings(kafka__topic_prefix=elsewhere, kafka__create_topics=False),
        "reconciler",
        areas=("Kafka",),
    )
    assert refused["topics"].state is State.FAILED
    assert "KASCRIBE_KAFKA_CREATE_TOPICS" in refused["topics"].remedy
    too_many = examined(
        installation.settings(kafka__topic_prefix=elsewhere, kafka__topic_replication=3),
        "reconciler",
        areas=("Kafka",),
    )
    assert too_many["topics"].state is State.FAILED
    assert "KASCRIBE_KAFKA_TOPIC_REPLICATION" in too_many["topics"].remedy


@pytest.mark.parametrize(
    ("name", "value", "usual", "row"),
    [
        ("min.insync.replicas", "2", "1", "replication"),
        ("max.message.bytes", "5000", "4194304", "record size"),
        ("retention.ms", "5000", "604800000", "retention"),
        ("cleanup.policy", "compact", "delete", "cleanup"),
    ],
)
def test_a_property_of_a_topic_that_loses_records_is_found(
    installation: Installation, well: Rows, name: str, value: str, usual: str, row: str
) -> None:
    """On the broker's own word."""
    topic = f"{installation.topics.references}.retry.10s"
    with_property(installation, topic, name, value)
    try:
        after = examined(installation.settings(), areas=("Kafka",))
    finally:
        with_property(installation, topic, name, usual)
    assert differences(well, after) == {row: State.FAILED}
    assert topic in after[row].found


def test_a_broker_that_is_away_leaves_the_other_areas_alone(
    installation: Installation, well: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything of Kafka waits for its first row; the bucket is examined, but no drop is tried."""
    monkeypatch.setattr(broker, "REQUEST_SECONDS", 2.0)
    monkeypatch.setattr(follower, "METADATA_TIMEOUT_SECONDS", 2.0)
    after = examined(installation.settings(kafka__bootstrap_servers="127.0.0.1:1"))
    assert after["broker"].state is State.FAILED
    assert "Connection refused" in after["broker"].found
    assert "KASCRIBE_KAFKA_BOOTSTRAP_SERVERS" in after["broker"].remedy
    storage = {name: state for name, state in well.states.items() if " in " in name}
    assert after.states.items() >= {**storage, f"drops in {installation.bucket}": State.SKIPPED}.items()


def test_a_host_that_does_not_exist_is_an_error_of_names(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy speaks of DNS."""
    monkeypatch.setattr(broker, "REQUEST_SECONDS", 2.0)
    after = examined(installation.settings(kafka__bootstrap_servers="broker.invalid:9092"), areas=("Kafka",))
    assert after["broker"].state is State.FAILED
    assert "DNS" in after["broker"].remedy


def test_a_frozen_broker_is_given_up(
    installation: Installation, well: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts connections, and answers nothing."""
    monkeypatch.setattr(broker, "REQUEST_SECONDS", 2.0)
    with frozen(pid_of(installation.stack, "kafka")):
        after = examined(installation.settings(), "gateway")
    assert after["broker"].state is State.FAILED
    assert "no answer from" in after["broker"].found
    assert after.named(State.SKIPPED) == {"brokers", "topics", "topics: gateway"}
    assert after[f"uploads in {installation.bucket}"] == well[f"uploads in {installation.bucket}"]
