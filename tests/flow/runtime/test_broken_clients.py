"""Errors of the Kafka client: transient ones are waited out, the others end the process with a message."""

from typing import Final

import pytest
from confluent_kafka import KafkaError

from consumers.kafka.follower import Follower, FollowerThread, Start, _raise_if_fatal
from schemas.errors import ClientBroken, DependencyDown, InstanceIdInUse
from schemas.settings import KafkaSettings
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import committed, create_topics, running, send, settings_for
from tests.flow.stages import OUTPUT, CommandStage
from tests.support.waiting import eventually

LIST_OFFSETS, OFFSET_FETCH, CONSUMER_GROUP_HEARTBEAT = 2, 9, 68
NOT_LEADER_FOR_PARTITION: Final = 6
NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, NETWORK_EXCEPTION = 16, 15, 13
REBALANCE_IN_PROGRESS, GROUP_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PART = 27, 30, 3
FENCED_INSTANCE_ID, UNRELEASED_INSTANCE_ID, STALE_MEMBER_EPOCH = 82, 111, 113
PASSING: Final = (
    NOT_COORDINATOR,
    COORDINATOR_NOT_AVAILABLE,
    STALE_MEMBER_EPOCH,
    REBALANCE_IN_PROGRESS,
    NETWORK_EXCEPTION,
    UNKNOWN_TOPIC_OR_PART,
)


def _end_of(broker: MockCluster, **properties: object) -> BaseException:
    """Run a runtime, and return the error that ends it within half a minute."""
    with running(CommandStage(), settings_for(broker.bootstrap_servers, properties=properties)) as started:
        eventually(lambda: started.error, timeout_seconds=30, what="the end of the runtime")
        assert started.error is not None
        return started.error


def test_errors_that_pass_do_not_end_the_process_at_its_assignment(broker: MockCluster) -> None:
    """The committed offsets are requested again, and records are processed from there on."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["echo"])
    broker.fail_next(OFFSET_FETCH, *PASSING)
    with running(CommandStage(), settings_for(broker.bootstrap_servers)) as started:
        records_on(broker.bootstrap_servers, OUTPUT, count=1, timeout_seconds=30)
        started.stop()
    assert committed(broker.bootstrap_servers) == [(1, "")]


def test_a_refusal_to_return_committed_offsets_ends_the_process_with_a_sentence(broker: MockCluster) -> None:
    """A retry does not change a user's permissions; the sentence names the one to grant."""
    create_topics(broker)
    broker.fail_next(OFFSET_FETCH, *[GROUP_AUTHORIZATION_FAILED] * 8)
    error = _end_of(broker)
    assert isinstance(error, ClientBroken)
    assert "allow it READ on the group" in str(error)


def test_a_stop_while_the_broker_returns_no_committed_offsets_is_obeyed(broker: MockCluster) -> None:
    """The request is given up at once: nothing was taken in that could be drained."""
    create_topics(broker)
    broker.fail_next(OFFSET_FETCH, *[NOT_COORDINATOR] * 1_000)
    with running(CommandStage(), settings_for(broker.bootstrap_servers)) as started:
        eventually(lambda: started.sample("kascribe_rebalances_total", kind="assigned"), timeout_seconds=30)
        started.stop(timeout_seconds=15)


def test_a_member_that_the_broker_refuses_for_good_ends_the_process(broker: MockCluster) -> None:
    """The client reports it in a message whose code alone shows that it is fatal, and polls no record again."""
    create_topics(broker)
    broker.fail_next(CONSUMER_GROUP_HEARTBEAT, *[GROUP_AUTHORIZATION_FAILED] * 3)
    error = _end_of(broker)
    assert type(error) is ClientBroken
    assert "test.commands" in str(error)
    assert "READ on the group" in str(error)


@pytest.mark.parametrize(
    ("code", "kind"), [(UNRELEASED_INSTANCE_ID, InstanceIdInUse), (FENCED_INSTANCE_ID, ClientBroken)]
)
def test_an_instance_id_that_another_member_has_ends_the_process(
    broker: MockCluster, code: int, kind: type[ClientBroken]
) -> None:
    """The sentence names the id and the setting; an id that the broker has not released yet may be retried."""
    create_topics(broker)
    broker.fail_next(CONSUMER_GROUP_HEARTBEAT, *[code] * 3)
    error = _end_of(broker, **{"group.instance.id": "one"})
    assert type(error) is kind
    assert "instance id one" in str(error)
    assert "KASCRIBE_KAFKA_GROUP_INSTANCE_ID" in str(error)


def test_a_follower_waits_for_the_leader_of_a_topic_that_was_just_created(broker: MockCluster) -> None:
    """The gateway begins to follow its topics at the moment when it has created them."""
    broker.create_topic(OUTPUT)
    broker.fail_next(LIST_OFFSETS, *[NOT_LEADER_FOR_PARTITION] * 12)
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    with Follower(kafka, [OUTPUT], start=Start.NOW) as follower:
        send(broker.bootstrap_servers, ["echo"], topic=OUTPUT)
        assert eventually(lambda: follower.records(0.1), timeout_seconds=30)[0].value == b"echo"


def test_a_follower_s_thread_opens_a_new_follower_after_a_failure(broker: MockCluster) -> None:
    """After a refused request it connects again, and receives records published after that."""
    broker.create_topic(OUTPUT)
    broker.fail_next(LIST_OFFSETS, *[GROUP_AUTHORIZATION_FAILED] * 3)
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    received: list[bytes | None] = []
    thread = FollowerThread(
        kafka, [OUTPUT], lambda record: received.append(record.value), name="test", reconnect_seconds=0.1
    )
    with pytest.raises(DependencyDown):
        thread.connect()
    thread.start()

    def is_received() -> bool:
        # Where the new follower begins is not visible from outside, so records are sent until one arrives.
        send(broker.bootstrap_servers, ["echo"], topic=OUTPUT)
        return bool(received)

    try:
        eventually(is_received, timeout_seconds=30)
    finally:
        thread.stop()
    assert set(received) == {b"echo"}


def test_following_ends_with_an_error_whose_code_alone_shows_that_it_is_fatal() -> None:
    """The gateway and the cancellations follow with a new client then; transient errors are left to pass."""
    broken = KafkaError(KafkaError._FATAL)
    assert not broken.fatal()
    with pytest.raises(DependencyDown, match="client failed"):
        _raise_if_fatal(broken)
    _raise_if_fatal(KafkaError(KafkaError._ALL_BROKERS_DOWN))
