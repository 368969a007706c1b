"""The runtime on an embedded broker: what it promises about records, offsets and failures."""

import time
from subprocess import Popen
from typing import Final

import pytest

from consumers.runtime.monitoring.health import live, ready
from consumers.runtime.offsets import gap_map
from consumers.runtime.offsets.commit_metadata import CommitMetadata
from schemas.kafka import dead_letters
from schemas.kafka.topics import dead_letter_topic, retry_topic
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import committed, create_topics, outputs_until, running, send, settings_for, victim
from tests.flow.stages import OUTPUT, TOPIC, CommandStage
from tests.support.waiting import eventually

PROTOCOLS: Final = pytest.mark.parametrize("protocol", ["classic", "consumer"])


def _complete_beyond(bootstrap_servers: str) -> set[int]:
    """Return the offsets that the gap map of the only partition lists as complete."""
    ((offset, metadata),) = committed(bootstrap_servers)
    ranges = gap_map.decode(offset, CommitMetadata.read(metadata).gap_map) if offset >= 0 else ()
    return {complete for first, end in ranges for complete in range(first, end)}


@PROTOCOLS
def test_records_complete_out_of_order_and_the_gap_map_lists_them(broker: MockCluster, protocol: str) -> None:
    """One slow record holds the committed offset, not the records behind it; the metadata lists those."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["hold", *(f"echo-{n}" for n in range(20))])
    stage = CommandStage()
    with running(stage, settings_for(broker.bootstrap_servers, protocol=protocol)) as started:
        eventually(
            lambda: _complete_beyond(broker.bootstrap_servers) == set(range(1, 21)),
            timeout_seconds=20,
            what="the gap map",
        )
        assert committed(broker.bootstrap_servers)[0][0] == 0
        stage.release.set()
        eventually(lambda: committed(broker.bootstrap_servers)[0][0] == 21, timeout_seconds=30)
        started.stop()
    assert committed(broker.bootstrap_servers) == [(21, "")]
    assert len(records_on(broker.bootstrap_servers, OUTPUT, count=21)) == 21


def test_a_killed_process_leaves_no_completed_record_to_do_again(broker: MockCluster) -> None:
    """After SIGKILL the successor runs what was incomplete, and nothing that a commit called complete."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["hold", *(f"echo-{n}" for n in range(50))])
    with victim(broker.bootstrap_servers) as process:
        eventually(lambda: len(_complete_beyond(broker.bootstrap_servers)) == 50, timeout_seconds=30)
        process.kill()
    stage = CommandStage()
    stage.release.set()
    with running(stage, settings_for(broker.bootstrap_servers)) as started:
        eventually(lambda: committed(broker.bootstrap_servers)[0][0] == 51, timeout_seconds=20)
        started.stop()
        assert started.sample("kascribe_unclean_takeovers_total", topic=TOPIC) == 1
    assert stage.values() == ["hold"]
    outputs = records_on(broker.bootstrap_servers, OUTPUT, count=51)
    assert len({record.value for record in outputs}) == 51


def test_a_transient_failure_succeeds_from_the_retry_topic(broker: MockCluster) -> None:
    """The second attempt runs when it is due, knows where the record was first read, and blocks no other."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["flaky", "echo"])
    stage = CommandStage()
    with running(stage, settings_for(broker.bootstrap_servers)) as started:
        outputs = records_on(broker.bootstrap_servers, OUTPUT, count=2)
        eventually(
            lambda: committed(broker.bootstrap_servers, topic=retry_topic(TOPIC, 1))[0][0] == 1, timeout_seconds=5
        )
        started.stop()
        assert started.sample("kascribe_retries_total", reason="internal_error") == 1
    assert [record.value for record in outputs] == [b"echo", b"flaky"]
    assert outputs[1].header("attempt") == b"2"
    assert outputs[1].header("origin") == f"{TOPIC}[0]@0".encode()
    assert committed(broker.bootstrap_servers)[0][0] == 2


def test_a_permanent_failure_keeps_the_bytes_and_reaches_the_subscribers(broker: MockCluster) -> None:
    """Key, value and headers reach the dead-letter topic as they were, the reason beside them."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["bad", "echo"])
    with running(CommandStage(), settings_for(broker.bootstrap_servers)) as started:
        (letter,) = records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=1)
        outputs = {record.value for record in records_on(broker.bootstrap_servers, OUTPUT, count=2)}
        started.stop()
    assert (letter.key, letter.value, letter.header("mark")) == (b"key-bad", b"bad", b"\x00\xff")
    assert dead_letters.read(letter).reason == "audio_undecodable"
    assert outputs == {b"failed: audio_undecodable", b"echo"}
    assert committed(broker.bootstrap_servers) == [(2, "")]


def test_a_stages_mistake_counts_as_transient_and_ends_as_internal_error(broker: MockCluster) -> None:
    """An error that no stage should raise is retried as often as any transient failure, then dead-lettered."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["bug"])
    stage = CommandStage()
    with running(stage, settings_for(broker.bootstrap_servers)) as started:
        (letter,) = records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=1)
        started.stop()
    read = dead_letters.read(letter)
    assert (read.reason, read.attempt, read.origin.offset) == ("internal_error", 2, 0)
    assert "ZeroDivisionError" in read.stack_trace
    assert stage.began == [("bug", 1), ("bug", 2)]


def test_a_dependency_that_is_down_pauses_intake_and_counts_no_attempt(broker: MockCluster) -> None:
    """Nothing more is taken in until the service answers; then the same attempt succeeds."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["down"])
    stage = CommandStage()
    with running(stage, settings_for(broker.bootstrap_servers)) as started:
        eventually(lambda: started.runtime.snapshot().dependencies_down == ("s3",), timeout_seconds=20)
        assert not ready(started.runtime.snapshot(), now=time.monotonic()).ok
        assert live(started.runtime.snapshot(), now=time.monotonic()).ok
        send(broker.bootstrap_servers, ["echo-1", "echo-2"])
        eventually(lambda: started.sample("kascribe_partitions_paused") == 2, timeout_seconds=30)
        assert stage.values() == ["down"]
        stage.dependency_up.set()
        outputs = records_on(broker.bootstrap_servers, OUTPUT, count=3)
        started.stop()
        assert started.sample("kascribe_dependency_down", dependency="s3") == 0
    assert {record.header("attempt") for record in outputs} == {b"1"}
    assert committed(broker.bootstrap_servers) == [(3, "")]


@PROTOCOLS
def test_rebalances_lose_nothing_and_repeat_nothing(broker: MockCluster, protocol: str) -> None:
    """A second process joins at work, the first one leaves: every record comes out, and with KIP-848 once.

    The mock's classic rebalances evict a member that is slow to rejoin, which repeats what it could not commit;
    that the classic protocol repeats nothing either is promised on a real broker.
    """
    create_topics(broker, partitions=4)
    records = 400
    settings = settings_for(broker.bootstrap_servers, protocol=protocol, in_flight_records=8)
    send(broker.bootstrap_servers, [f"echo-{n}" for n in range(records // 2)], partitions=4)
    with running(CommandStage(), settings) as first:
        first.wait_until_joined(partitions=8)
        with running(CommandStage(), settings) as second:
            send(broker.bootstrap_servers, [f"echo-{n}" for n in range(records // 2, records)], partitions=4)
            second.wait_until_joined(partitions=4)
            first.wait_until_joined(partitions=4)
            first.stop()
            second.wait_until_joined(partitions=8)
            outputs = outputs_until(broker.bootstrap_servers, distinct=records)
            eventually(
                lambda: sum(offset for offset, _ in committed(broker.bootstrap_servers, partitions=4)) == records,
                timeout_seconds=20,
            )
            second.stop()
    assert set(outputs) == {f"echo-{n}" for n in range(records)}
    assert protocol == "classic" or set(outputs.values()) == {1}


def test_what_finishes_within_the_revocation_is_kept_and_the_rest_is_left_to_the_successor(
    broker: MockCluster,
) -> None:
    """A revoked partition's slow record is cancelled after the budget and done by the new holder, once."""
    create_topics(broker, partitions=2)
    send(broker.bootstrap_servers, ["hold-0", "hold-1", "echo-0", "echo-1"], partitions=2)
    settings = settings_for(broker.bootstrap_servers, revoke_timeout_seconds=0.3)
    slow, quick = CommandStage(), CommandStage()
    quick.release.set()
    with running(slow, settings) as first:
        eventually(lambda: len(slow.began) == 4, timeout_seconds=20)
        with running(quick, settings) as second:
            eventually(lambda: len(quick.began) == 1, timeout_seconds=20)
            second.wait_until_joined(partitions=2)
            assert first.sample("kascribe_records_settled_total", topic=TOPIC, outcome="completed") == 2
            slow.release.set()
            outputs = records_on(broker.bootstrap_servers, OUTPUT, count=4)
            second.stop()
            first.stop()
        assert first.sample("kascribe_records_settled_total", topic=TOPIC, outcome="dropped") == 1
    assert quick.values()[0].startswith("hold")
    assert sorted(record.value or b"" for record in outputs) == [b"echo-0", b"echo-1", b"hold-0", b"hold-1"]


def test_stopping_drains_what_runs_and_leaves_what_has_not_begun(broker: MockCluster) -> None:
    """The first signal lets running records finish and commits them; those in the queue stay for the successor."""
    create_topics(broker)
    send(broker.bootstrap_servers, [f"hold-{n}" for n in range(6)])
    stage = CommandStage()
    with running(stage, settings_for(broker.bootstrap_servers, worker_threads=2)) as started:
        eventually(lambda: stage.running == 2, timeout_seconds=20)
        started.runtime.stop()
        eventually(lambda: started.runtime.snapshot().is_draining, timeout_seconds=30)
        assert not ready(started.runtime.snapshot(), now=time.monotonic()).ok
        stage.release.set()
        started.thread.join(30)
        assert not started.thread.is_alive()
    assert sorted(stage.values()) == ["hold-0", "hold-1"]
    assert committed(broker.bootstrap_servers) == [(2, "")]


def test_a_second_signal_stops_at_once_and_commits_what_was_complete(broker: MockCluster) -> None:
    """Records that will not finish are left incomplete; what was complete stays so."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["hold", "echo"])
    settings = settings_for(broker.bootstrap_servers, drain_timeout_seconds=60)
    stage = CommandStage()
    with running(stage, settings) as started:
        records_on(broker.bootstrap_servers, OUTPUT, count=1)
        started.runtime.stop()
        started.stop(timeout_seconds=30)
    assert _complete_beyond(broker.bootstrap_servers) == {1}
    assert committed(broker.bootstrap_servers)[0][0] == 0


@PROTOCOLS
def test_a_job_longer_than_the_poll_interval_causes_no_rebalance(broker: MockCluster, protocol: str) -> None:
    """max.poll.interval.ms bounds the time between polls, and those go on whatever a job does."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["hold"])
    properties = {"max.poll.interval.ms": 1500}
    if protocol == "classic":
        properties |= {"session.timeout.ms": 1500, "heartbeat.interval.ms": 300}
    stage = CommandStage()
    settings = settings_for(
        broker.bootstrap_servers, protocol=protocol, properties=properties, in_flight_records=1
    )
    with running(stage, settings) as started:
        eventually(lambda: stage.running, timeout_seconds=20)
        seen = started.sample("kascribe_poll_gap_seconds_sum")
        eventually(lambda: started.sample("kascribe_poll_gap_seconds_sum") > seen + 3.5, timeout_seconds=20)
        stage.release.set()
        records_on(broker.bootstrap_servers, OUTPUT, count=1)
        assert started.sample("kascribe_rebalances_total", kind="assigned") == 1
        assert started.sample("kascribe_rebalances_total", kind="lost") == 0
        started.stop()
    assert stage.began == [("hold", 1)]


def test_records_in_flight_never_exceed_their_limit(broker: MockCluster) -> None:
    """However much is waiting, no more is taken in than the setting says; and it all gets through."""
    create_topics(broker, partitions=3)
    send(broker.bootstrap_servers, [f"hold-{n}" for n in range(60)], partitions=3)
    stage = CommandStage()
    with running(stage, settings_for(broker.bootstrap_servers, in_flight_records=7)) as started:
        eventually(lambda: stage.running == 7, timeout_seconds=20)
        eventually(lambda: started.sample("kascribe_in_flight_records") == 7, timeout_seconds=30)
        eventually(lambda: started.sample("kascribe_partitions_paused") == 3, timeout_seconds=30)
        stage.release.set()
        records_on(broker.bootstrap_servers, OUTPUT, count=60)
        started.stop()
    assert stage.most_running == 7


def test_audio_seconds_close_the_intake_once_they_are_known(broker: MockCluster) -> None:
    """Records that turn out heavy stop the intake until they are done; one alone does not, however heavy it is."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["heavy"])
    stage = CommandStage()
    with running(stage, settings_for(broker.bootstrap_servers, in_flight_audio_seconds=60)) as started:
        eventually(lambda: started.sample("kascribe_in_flight_audio_seconds") == 100, timeout_seconds=20)
        send(broker.bootstrap_servers, ["echo"])
        records_on(broker.bootstrap_servers, OUTPUT, count=1)
        send(broker.bootstrap_servers, ["heavy"] * 3)
        eventually(lambda: started.sample("kascribe_in_flight_audio_seconds") == 400, timeout_seconds=20)
        send(broker.bootstrap_servers, ["echo"])
        eventually(lambda: started.sample("kascribe_partitions_paused") == 1, timeout_seconds=30)
        assert sorted(stage.values()) == ["echo", *["heavy"] * 4]
        stage.release.set()
        records_on(broker.bootstrap_servers, OUTPUT, count=6)
        started.stop()
        assert started.sample("kascribe_in_flight_audio_seconds") == 0


def test_a_record_that_kills_its_process_is_dead_lettered_and_its_neighbours_complete(broker: MockCluster) -> None:
    """After the deaths that the setting allows, and no more, the killer is set aside; nothing else is."""
    create_topics(broker)
    send(
        broker.bootstrap_servers, [*(f"echo-{n}" for n in range(5)), "kill", *(f"echo-{n}" for n in range(5, 10))]
    )
    deaths = 0
    while deaths < 5:
        with victim(broker.bootstrap_servers, "killer_attempts=3") as process:

            def over(process: Popen[bytes] = process) -> bool:
                return process.poll() is not None or committed(broker.bootstrap_servers)[0][0] == 11

            eventually(over, timeout_seconds=60, interval_seconds=0.3, what="death or completion")
            if process.poll() is None:
                break
            deaths += 1
    assert deaths == 3
    (letter,) = records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=1)
    assert (letter.value, dead_letters.read(letter).reason) == (b"kill", "killer_record")
    outputs = [record.value for record in records_on(broker.bootstrap_servers, OUTPUT, count=11)]
    assert {f"echo-{n}".encode() for n in range(10)} | {b"failed: killer_record"} == set(outputs)
