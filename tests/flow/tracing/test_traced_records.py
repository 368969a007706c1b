"""The spans of a record: queue, attempts, delivery and commit, through retries, dead letters and redrives."""

from itertools import pairwise
from typing import Final

from confluent_kafka import Producer

from schemas.clock import SystemClock
from schemas.kafka import dead_letters
from schemas.kafka.records import OutgoingRecord
from schemas.kafka.topics import dead_letter_topic, retry_topic
from schemas.monitoring.spans import Span, SpanLink
from schemas.monitoring.tracing import Tracer
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import create_topics, running, send, settings_for
from tests.flow.stages import TOPIC, CommandStage
from tests.support.waiting import eventually
from tests.unit.tracing.span_list import SpanList, assert_within

PROCESS: Final = f"process {TOPIC}"
RETRY: Final = f"process {retry_topic(TOPIC, 1)}"
PARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def tracer_into(sink: SpanList) -> Tracer:
    """Return a tracer that keeps every new trace."""
    return Tracer(sink, sample_ratio=1.0, clock=SystemClock())


def wait_for(sink: SpanList, *names: str) -> list[Span]:
    """Wait for one span of each name; return them in this order."""
    eventually(lambda: all(map(sink.named, names)), timeout_seconds=30, what=f"spans {names}")
    return [sink.one(name) for name in names]


def send_with(bootstrap_servers: str, outgoing: OutgoingRecord) -> None:
    """Send one record as it is."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    producer.produce(outgoing.topic, outgoing.value, outgoing.key, headers=list(outgoing.headers))
    assert producer.flush(10) == 0


def test_a_record_is_a_span_from_its_topic_to_its_commit(broker: MockCluster) -> None:
    """Its steps lie within it, in their order, and its outputs are spans of the same trace."""
    create_topics(broker)
    sink = SpanList()
    with running(CommandStage(), settings_for(broker.bootstrap_servers), tracer=tracer_into(sink)) as started:
        started.wait_until_joined(partitions=2)
        headers = (("traceparent", PARENT.encode()),)
        send_with(broker.bootstrap_servers, OutgoingRecord(TOPIC, b"key", b"lasts-0.05", headers))
        (record,) = wait_for(sink, PROCESS)
        started.stop()
    assert (record.trace_id, record.parent_id) == (PARENT.split("-")[1], PARENT.split("-")[2])
    assert sink.children(record) == ["queue", "attempt", "publish", "commit"]
    steps = [sink.one(name) for name in ("queue", "attempt", "publish", "commit")]
    for step, following in pairwise(steps):
        assert_within(step, record)
        assert step.ended_ns <= following.started_ns
    assert steps[1].ended_ns - steps[1].started_ns >= 50_000_000
    wanted = {
        "messaging.system": "kafka",
        "messaging.destination.name": TOPIC,
        "messaging.consumer.group.name": "test.commands",
        "kascribe.outcome": "completed",
        "kascribe.committed": True,
        "kascribe.attempt": 1,
    }
    assert wanted.items() <= record.attributes.items()


def test_a_retry_and_a_redrive_continue_the_trace_and_link_the_attempt_before(broker: MockCluster) -> None:
    """One trace tells the whole story of a record, whatever became of it."""
    create_topics(broker)
    sink = SpanList()
    with running(CommandStage(), settings_for(broker.bootstrap_servers), tracer=tracer_into(sink)) as started:
        started.wait_until_joined(partitions=2)
        send(broker.bootstrap_servers, ["bug"])
        first, second = wait_for(sink, PROCESS, RETRY)
        (letter,) = records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=1)
        redriven = dead_letters.redrive(dead_letters.read(letter), topic=retry_topic(TOPIC, 1), now_ms=0)
        send_with(broker.bootstrap_servers, redriven)
        eventually(lambda: len(sink.named(RETRY)) == 2, timeout_seconds=30, what="the redriven record")
        third = sink.named(RETRY)[1]
        started.stop()
    assert {first.trace_id, second.trace_id, third.trace_id} == {first.trace_id}
    assert [span.links for span in (first, second)] == [(), (SpanLink(first.trace_id, first.span_id),)]
    assert third.links == (SpanLink(first.trace_id, second.span_id),)
    assert [span.attributes["kascribe.outcome"] for span in (first, second)] == ["retried", "dead_lettered"]
    assert {span.error for span in (first, second)} == {"internal_error"}
    assert {span.error for span in sink.named("attempt")} == {"ZeroDivisionError"}


def test_an_attempt_that_waits_for_a_service_runs_again_within_the_same_span(broker: MockCluster) -> None:
    """The wait is an event of the record, and only its first run ends the queue."""
    create_topics(broker)
    sink, stage = SpanList(), CommandStage()
    with running(stage, settings_for(broker.bootstrap_servers), tracer=tracer_into(sink)) as started:
        started.wait_until_joined(partitions=2)
        send(broker.bootstrap_servers, ["down"])
        eventually(lambda: sink.named("attempt"), timeout_seconds=30)
        stage.dependency_up.set()
        (record,) = wait_for(sink, PROCESS)
        started.stop()
    assert sink.children(record) == ["queue", "attempt", "attempt", "publish", "commit"]
    assert [event.name for event in record.events] == ["parked"]
    assert record.error is None


def test_a_trace_that_is_not_sampled_leaves_no_span_and_keeps_its_flag(broker: MockCluster) -> None:
    """The sampler's decision is carried on to everything behind."""
    create_topics(broker)
    sink = SpanList()
    with running(CommandStage(), settings_for(broker.bootstrap_servers), tracer=tracer_into(sink)) as started:
        headers = (("traceparent", UNSAMPLED.encode()),)
        send_with(broker.bootstrap_servers, OutgoingRecord(TOPIC, b"key", b"bug", headers))
        (retry,) = records_on(broker.bootstrap_servers, retry_topic(TOPIC, 1), count=1)
        started.stop()
    assert retry.header("traceparent") == UNSAMPLED.encode()
    assert retry.header("kascribe-previous-span") is None
    assert sink.spans == []


def test_records_that_are_dropped_at_a_revocation_end_their_spans(broker: MockCluster) -> None:
    """A record of a partition that is gone is another process's; what ran here is told all the same."""
    create_topics(broker)
    sink, stage = SpanList(), CommandStage()
    settings = settings_for(broker.bootstrap_servers, drain_timeout_seconds=1)
    with running(stage, settings, tracer=tracer_into(sink)) as started:
        started.wait_until_joined(partitions=2)
        send(broker.bootstrap_servers, ["hold"])
        eventually(lambda: stage.running, timeout_seconds=30)
        started.stop()
        (record,) = wait_for(sink, PROCESS)
    assert record.attributes["kascribe.outcome"] == "dropped"
    assert record.error is None
