"""Commits that are refused, too late, or never sent: work is done again, never lost."""

from typing import Final

from confluent_kafka import Consumer, TopicPartition

from consumers.runtime.offsets.commit_metadata import CommitMetadata
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import GROUP_PREFIX, committed, create_topics, running, send, settings_for, victim
from tests.flow.stages import OUTPUT, TOPIC, CommandStage
from tests.support.waiting import eventually

OFFSET_COMMIT, HEARTBEAT = 8, 12
UNKNOWN_MEMBER_ID, GROUP_AUTHORIZATION_FAILED = 25, 30
NEVER_SECONDS: Final = 3_600


def _commit(bootstrap_servers: str, offset: int, metadata: str) -> None:
    """Commit what an earlier holder left behind."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": f"{GROUP_PREFIX}commands", "log_level": 0}
    )
    consumer.commit(offsets=[TopicPartition(TOPIC, 0, offset, metadata)], asynchronous=False)
    consumer.close()


def test_a_commit_that_is_refused_is_offered_again(broker: MockCluster) -> None:
    """Until the broker accepts it; records are processed during that time, and refusals are counted."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["echo-0", "echo-1"])
    broker.fail_next(OFFSET_COMMIT, *[GROUP_AUTHORIZATION_FAILED] * 3)
    with running(CommandStage(), settings_for(broker.bootstrap_servers)) as started:
        records_on(broker.bootstrap_servers, OUTPUT, count=2, timeout_seconds=30)
        eventually(lambda: committed(broker.bootstrap_servers)[0][0] == 2, timeout_seconds=30)
        started.stop()
        assert started.sample("kascribe_commit_failures_total") >= 1
    assert committed(broker.bootstrap_servers) == [(2, "")]


def test_a_record_whose_name_was_refused_runs_once_it_is_durable(broker: MockCluster) -> None:
    """After an unclean takeover nothing runs unnamed; one refused commit does not block it for good."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["echo"])
    _commit(broker.bootstrap_servers, 0, " odead")
    broker.fail_next(OFFSET_COMMIT, *[GROUP_AUTHORIZATION_FAILED] * 3)
    with running(CommandStage(), settings_for(broker.bootstrap_servers)) as started:
        records_on(broker.bootstrap_servers, OUTPUT, count=1, timeout_seconds=30)
        started.stop()
        assert started.sample("kascribe_commit_failures_total") >= 1
    assert committed(broker.bootstrap_servers) == [(1, "")]


def test_the_last_commit_is_retried_when_it_failed(broker: MockCluster) -> None:
    """The refused commit is the process's last one: it is made again before the process ends."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["hold"])
    settings = settings_for(broker.bootstrap_servers, commit_interval_seconds=NEVER_SECONDS)
    stage = CommandStage()
    with running(stage, settings) as started:
        eventually(lambda: stage.running, timeout_seconds=30)
        started.runtime.stop()
        eventually(lambda: started.runtime.snapshot().is_draining, timeout_seconds=30)
        assert CommitMetadata.read(committed(broker.bootstrap_servers)[0][1]).gap_map == ""
        assert started.sample("kascribe_commit_failures_total") == 0
        broker.fail_next(OFFSET_COMMIT, GROUP_AUTHORIZATION_FAILED)
        stage.release.set()
        started.thread.join(60)
        assert not started.thread.is_alive()
        assert started.error is None
        assert started.sample("kascribe_commit_failures_total") >= 1
    assert committed(broker.bootstrap_servers) == [(1, "")]


def test_a_process_that_was_evicted_from_the_group_drops_its_work_and_starts_again(broker: MockCluster) -> None:
    """What is in flight of a lost partition is cancelled and not recorded; taken back, it is done, and no record
    is suspected of a crash that never happened."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["hold"])
    stage = CommandStage()
    settings = settings_for(broker.bootstrap_servers, protocol="classic")
    with running(stage, settings) as started:
        eventually(lambda: stage.running, timeout_seconds=30)
        broker.fail_next(HEARTBEAT, UNKNOWN_MEMBER_ID)
        eventually(lambda: started.sample("kascribe_rebalances_total", kind="lost") == 1, timeout_seconds=30)
        eventually(lambda: stage.began == [("hold", 1), ("hold", 1)], timeout_seconds=30, what="a second begin")
        stage.release.set()
        records_on(broker.bootstrap_servers, OUTPUT, count=1, timeout_seconds=30)
        started.stop()
        assert started.sample("kascribe_records_settled_total", topic=TOPIC, outcome="dropped") == 1
        assert started.sample("kascribe_unclean_takeovers_total", topic=TOPIC) == 0
    assert committed(broker.bootstrap_servers) == [(1, "")]


def test_a_death_between_delivery_and_commit_repeats_the_record(broker: MockCluster) -> None:
    """Its outputs are there and its offset is not: the next process repeats them, which is at least once."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["echo"])
    with victim(broker.bootstrap_servers, "dies=delivered") as process:
        eventually(lambda: process.poll() is not None, timeout_seconds=60, what="the death")
    assert len(records_on(broker.bootstrap_servers, OUTPUT, count=1)) == 1
    ((offset, metadata),) = committed(broker.bootstrap_servers)
    assert (max(offset, 0), CommitMetadata.read(metadata).gap_map) == (0, "")
    with running(CommandStage(), settings_for(broker.bootstrap_servers)) as started:
        outputs = records_on(broker.bootstrap_servers, OUTPUT, count=2, timeout_seconds=30)
        started.stop()
    assert [record.value for record in outputs] == [b"echo", b"echo"]
    assert committed(broker.bootstrap_servers) == [(1, "")]
