"""Malformed records and faulty stages: none of them stops the others, none is lost silently."""

import io
import json
import logging
from typing import Final

import structlog
from confluent_kafka import Producer

from consumers.kafka.follower import Follower, Start
from consumers.runtime.retry import PAUSES_LIMIT
from kascribe.process.logs import configure_logs
from schemas.kafka import dead_letters, history
from schemas.kafka.records import Coordinates, Record
from schemas.kafka.topics import dead_letter_topic
from schemas.settings import KafkaSettings, LogSettings
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import committed, create_topics, running, send, settings_for
from tests.flow.runtime.raw_headers import send_with_header
from tests.flow.stages import OUTPUT, TOPIC, CommandStage
from tests.support.waiting import eventually

NOT_UTF8: Final = b"\xff\xfe-name"
TRACE_ID: Final = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_record_whose_headers_cannot_be_read_is_processed_without_them(broker: MockCluster) -> None:
    """Kafka lets a header's name be any bytes, and what the job needs is in the value."""
    create_topics(broker)
    send_with_header(broker.bootstrap_servers, TOPIC, b"echo-odd", name=NOT_UTF8)
    send_with_header(broker.bootstrap_servers, TOPIC, b"bad-odd", name=NOT_UTF8)
    send(broker.bootstrap_servers, ["echo"])
    with running(CommandStage(), settings_for(broker.bootstrap_servers)) as started:
        outputs = records_on(broker.bootstrap_servers, OUTPUT, count=3, timeout_seconds=30)
        (letter,) = records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=1, timeout_seconds=30)
        started.stop()
    assert sorted(record.value or b"" for record in outputs) == [
        b"echo",
        b"echo-odd",
        b"failed: audio_undecodable",
    ]
    assert letter.value == b"bad-odd"
    assert committed(broker.bootstrap_servers) == [(3, "")]


def test_a_follower_of_a_topic_reads_on_past_headers_that_cannot_be_read(broker: MockCluster) -> None:
    """One such record ends neither the cancellations nor any other reader of a topic."""
    broker.create_topic(TOPIC)
    # The interpreter calls differently what it has called often; by then errors are found later, or not at all.
    send(broker.bootstrap_servers, [f"plain-{number}" for number in range(200)])
    send_with_header(broker.bootstrap_servers, TOPIC, b"odd", name=NOT_UTF8)
    send(broker.bootstrap_servers, ["last"])
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    records: list[Record] = []
    with Follower(settings, (TOPIC,), start=Start.BEGINNING) as follower:

        def all_of_them() -> bool:
            records.extend(follower.records(0.1))
            return len(records) == 202

        eventually(all_of_them, timeout_seconds=30, what="all records")
    assert [(record.value, record.headers) for record in records[-2:]] == [
        (b"odd", ()),
        (b"last", (("mark", b"\x00\xff"),)),
    ]


def test_a_header_that_names_an_impossible_attempt_affects_no_other_record(broker: MockCluster) -> None:
    """The record is dead-lettered with its own reason, in its first attempt, and the next one completes."""
    create_topics(broker)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    producer.produce(TOPIC, "bad", "key", headers=[(history.ATTEMPT, b"9999999999")])
    assert producer.flush(10) == 0
    send(broker.bootstrap_servers, ["echo"])
    with running(CommandStage(), settings_for(broker.bootstrap_servers)) as started:
        (letter,) = records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=1, timeout_seconds=30)
        records_on(broker.bootstrap_servers, OUTPUT, count=2, timeout_seconds=30)
        started.stop()
    assert committed(broker.bootstrap_servers) == [(2, "")]
    assert (dead_letters.read(letter).reason, dead_letters.read(letter).attempt) == ("audio_undecodable", 1)


def test_a_caller_chooses_neither_a_record_s_origin_nor_its_attempt(broker: MockCluster) -> None:
    """History is trusted on retry and dead-letter topics alone: no caller can take over another record's job."""
    create_topics(broker)
    forged = history.write(history.History(4, Coordinates("others", 7, 99), 1, due_ms=2**62), ())
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    producer.produce(TOPIC, "bad", "key", headers=list(forged))
    assert producer.flush(10) == 0
    with running(CommandStage(), settings_for(broker.bootstrap_servers)) as started:
        (letter,) = records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=1, timeout_seconds=30)
        started.stop()
    read = dead_letters.read(letter)
    assert (read.origin, read.attempt) == (Coordinates(TOPIC, 0, 0), 1)


def test_a_failure_that_cannot_be_described_leaves_a_bare_dead_letter(broker: MockCluster) -> None:
    """Without the record's headers, but with its bytes and the reason internal_error; the loop goes on."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["odd", "echo"])
    with running(CommandStage(), settings_for(broker.bootstrap_servers)) as started:
        (letter,) = records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=1, timeout_seconds=30)
        records_on(broker.bootstrap_servers, OUTPUT, count=1, timeout_seconds=30)
        started.stop()
    assert (letter.key, letter.value, letter.header("mark")) == (b"key-odd", b"odd", None)
    assert (dead_letters.read(letter).reason, dead_letters.read(letter).origin.offset) == ("internal_error", 0)
    assert committed(broker.bootstrap_servers) == [(2, "")]


def test_a_stage_that_wants_the_process_to_exit_loses_neither_record_nor_worker(broker: MockCluster) -> None:
    """SystemExit is handled like any other mistake, and the only worker goes on with the next record."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["exit", "echo"])
    settings = settings_for(broker.bootstrap_servers, worker_threads=1)
    with running(CommandStage(), settings) as started:
        (letter,) = records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=1, timeout_seconds=30)
        records_on(broker.bootstrap_servers, OUTPUT, count=2, timeout_seconds=30)
        started.stop()
    assert (letter.value, dead_letters.read(letter).reason) == (b"exit", "internal_error")


def test_a_service_that_passes_its_probe_and_fails_one_record_is_not_waited_for_forever(
    broker: MockCluster,
) -> None:
    """Intake pauses a bounded number of times for it; then the record is retried, and given up in the end."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["forbidden", "echo"])
    stage = CommandStage()
    stage.dependency_up.set()
    settings = settings_for(broker.bootstrap_servers, dependency_check_seconds=0.01)
    with running(stage, settings) as started:
        (letter,) = records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=1, timeout_seconds=60)
        records_on(broker.bootstrap_servers, OUTPUT, count=2, timeout_seconds=30)
        started.stop()
        assert started.sample("kascribe_retries_total", reason="dependency_down") == 1
    read = dead_letters.read(letter)
    assert (letter.value, read.reason, read.attempt) == (b"forbidden", "dependency_down", 2)
    assert stage.began.count(("forbidden", 1)) == PAUSES_LIMIT + 1


def test_the_line_about_a_dead_letter_names_record_trace_and_job(broker: MockCluster) -> None:
    """An operator who searches the logs for a job or a trace finds how it ended."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs(LogSettings(format="json"), stream=stream)
    try:
        create_topics(broker)
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        producer.produce(TOPIC, "bad", "key", headers=[("traceparent", f"00-{TRACE_ID}-00f067aa0ba902b7-01")])
        assert producer.flush(10) == 0
        with running(CommandStage(), settings_for(broker.bootstrap_servers)) as started:
            records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=1, timeout_seconds=30)
            started.stop()
    finally:
        root.handlers[:], root.level = handlers, level
        structlog.reset_defaults()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    (line,) = [line for line in lines if line["event"] == "dead letter"]
    assert (line["record"], line["attempt"]) == (f"{TOPIC}[0]@0", 1)
    assert (line["trace_id"], line["job_id"]) == (TRACE_ID, "job of bad")
