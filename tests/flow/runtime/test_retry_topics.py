"""Retry topics when the delays change."""

from schemas.kafka.topics import dead_letter_topic, retry_topic
from schemas.kafka.trace import Trace
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import create_topics, running, send, settings_for
from tests.flow.stages import OUTPUT, TOPIC, CommandStage


def test_a_retry_topic_of_a_former_delay_is_read_to_its_end(broker: MockCluster) -> None:
    """Other delays may be set at any time: what waits in the topics of the old ones is still processed."""
    create_topics(broker, delays=(1, 2))
    broker.create_topic(retry_topic("others", 2))
    send(broker.bootstrap_servers, ["echo"], topic=retry_topic(TOPIC, 2))
    with running(CommandStage(), settings_for(broker.bootstrap_servers, retry_delays_seconds=(1,))) as started:
        started.wait_until_joined(partitions=3)
        assert ("others.retry.2s", 0) not in started.runtime.snapshot().partitions
        (output,) = records_on(broker.bootstrap_servers, OUTPUT, count=1, timeout_seconds=30)
        started.stop()
    assert output.value == b"echo"


def test_the_retry_topics_of_another_role_are_not_read(broker: MockCluster) -> None:
    """Several roles read one topic, and each record that one of them retries is that role's alone."""
    create_topics(broker, delays=(1, 2))
    broker.create_topic("own")
    broker.create_topic(retry_topic("own", 1))
    stage = CommandStage(topics=(TOPIC, "own"))
    stage.retried_topics = ("own",)
    with running(stage, settings_for(broker.bootstrap_servers, retry_delays_seconds=(1,))) as started:
        started.wait_until_joined(partitions=3)
        held = {topic for topic, _ in started.runtime.snapshot().partitions}
        started.stop()
    assert held == {TOPIC, "own", "own.retry.1s"}


def test_a_record_without_a_trace_has_one_from_its_first_attempt_to_its_dead_letter(broker: MockCluster) -> None:
    """No object store sends one; the retry and the letter are spans of the trace that the log lines name."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["bug"])
    with running(CommandStage(), settings_for(broker.bootstrap_servers)) as started:
        (letter,) = records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=1)
        (retry,) = records_on(broker.bootstrap_servers, retry_topic(TOPIC, 1), count=1)
        started.stop()
    parents = [Trace.parse((record.header("traceparent") or b"").decode()) for record in (retry, letter)]
    assert len({parent.trace_id for parent in parents if parent}) == 1
    assert None not in parents
