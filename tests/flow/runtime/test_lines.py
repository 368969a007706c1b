"""Every end, wait and refusal of a record has its line, provoked on a real client."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import pytest
import structlog
from confluent_kafka import Producer

from kascribe.process.log_events.catalogue import EVENTS
from kascribe.process.logs import configure_logs
from schemas.kafka.topics import dead_letter_topic, retry_topic
from schemas.settings import LogSettings
from tests.flow.mock_cluster import MockCluster
from tests.flow.reading import records_on
from tests.flow.running import create_topics, running, send, settings_for
from tests.flow.stages import OUTPUT, TOPIC, CommandStage
from tests.support.waiting import eventually

TRACE_ID: Final = "4bf92f3577b34da6a3ce929d0e0e4736"


class Lines:
    """The lines that the process has written."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def named(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of one event; every line is JSON and its event is in the catalogue."""
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        assert {line["event"] for line in lines if "logger" not in line} <= EVENTS.keys()
        return [line for line in lines if line["event"] == event]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Collect the lines at every level; logging is as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    found = Lines()
    configure_logs(LogSettings(format="json", level="debug"), stream=found.stream)
    yield found
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def _send_traced(broker: MockCluster, value: str) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    producer.produce(TOPIC, value, "key", headers=[("traceparent", f"00-{TRACE_ID}-00f067aa0ba902b7-01")])
    assert producer.flush(10) == 0


def _is_about(line: dict[str, Any], value: str, record: str, attempt: int) -> bool:
    return (line["job_id"], line["trace_id"], line["record"], line["attempt"]) == (
        f"job of {value}",
        TRACE_ID,
        record,
        attempt,
    )


def test_a_retry_and_the_dead_letter_after_it_name_reason_attempt_due_time_job_and_trace(
    broker: MockCluster, lines: Lines
) -> None:
    """In each of both attempts, one line that says what follows."""
    create_topics(broker)
    _send_traced(broker, "bug")
    with running(CommandStage(), settings_for(broker.bootstrap_servers)) as started:
        records_on(broker.bootstrap_servers, dead_letter_topic(TOPIC), count=1, timeout_seconds=30)
        started.stop()
    (retry,) = lines.named("retry")
    (letter,) = lines.named("dead letter")
    assert _is_about(retry, "bug", f"{TOPIC}[0]@0", 1)
    assert (retry["reason"], retry["next_attempt"]) == ("internal_error", 2)
    assert retry["retry_topic"] == retry_topic(TOPIC, 1)
    due_at, logged_at = (datetime.fromisoformat(retry[name]) for name in ("due_at", "timestamp"))
    assert 0 < (due_at - logged_at).total_seconds() <= 1
    assert _is_about(letter, "bug", f"{retry_topic(TOPIC, 1)}[0]@0", 2)
    assert (letter["reason"], letter["dead_letter_topic"]) == ("internal_error", dead_letter_topic(TOPIC))
    (untranslated,) = lines.named("stage raised an untranslated error, counted as transient")
    assert "ZeroDivisionError: a mistake of the stage" in untranslated["exception"]


def test_a_parked_record_and_the_change_of_its_dependency_have_their_lines(
    broker: MockCluster, lines: Lines
) -> None:
    """One line each for the outage, for every record that waits, and for the recovery."""
    create_topics(broker)
    for value in ("down-1", "down-2"):
        _send_traced(broker, value)
    stage = CommandStage()
    with running(stage, settings_for(broker.bootstrap_servers)) as started:
        eventually(lambda: len(lines.named("record parked")) == 2, timeout_seconds=30, what="both parked")
        stage.dependency_up.set()
        records_on(broker.bootstrap_servers, OUTPUT, count=2, timeout_seconds=30)
        started.stop()
    (down,) = lines.named("dependency is down, intake pauses")
    (up,) = lines.named("dependency is up again, intake resumes")
    assert (down["dependency"], down["error"], up["dependency"]) == ("s3", "the bucket does not answer", "s3")
    assert up["probes"] >= 1
    parked = sorted(lines.named("record parked"), key=lambda line: str(line["record"]))
    assert all(
        _is_about(line, f"down-{number + 1}", f"{TOPIC}[0]@{number}", 1) for number, line in enumerate(parked)
    )


def test_partitions_that_come_and_go_have_their_lines_and_what_runs_meanwhile_too(
    broker: MockCluster, lines: Lines
) -> None:
    """A process whose drain takes too long names the record that it leaves to the next holder."""
    create_topics(broker)
    _send_traced(broker, "hold")
    with running(CommandStage(), settings_for(broker.bootstrap_servers, drain_timeout_seconds=0.5)) as started:
        eventually(lambda: started.runtime.snapshot().in_flight_records, timeout_seconds=30, what="a flight")
        started.stop()
    (assigned,) = lines.named("partitions assigned")
    assert (assigned["partitions"], assigned["count"]) == ([f"{TOPIC}[0]", f"{retry_topic(TOPIC, 1)}[0]"], 2)
    (timed_out,) = lines.named("drain timed out, the rest is left to the next holder")
    assert timed_out["in_flight_records"] == 1
    (dropped,) = lines.named("record dropped")
    assert (dropped["record"], dropped["trace_id"]) == (f"{TOPIC}[0]@0", TRACE_ID)
    assert dropped["why"] == "its attempt had begun"


def test_a_group_that_divides_its_partitions_says_which_ones_go(broker: MockCluster, lines: Lines) -> None:
    """A second member gets one of two, so that the first has a line about the one that it gives up."""
    create_topics(broker, partitions=2)
    settings = settings_for(broker.bootstrap_servers, protocol="classic")
    with running(CommandStage(), settings) as first:
        first.wait_until_joined(partitions=4)
        with running(CommandStage(), settings) as second:
            second.wait_until_joined(partitions=2)
            revoked = [each for line in lines.named("partitions revoked") for each in line["partitions"]]
            assert {f"{TOPIC}[0]", f"{TOPIC}[1]"} & {*revoked}
            second.stop()
        first.stop()


def test_records_that_were_complete_before_are_named_at_level_debug(broker: MockCluster, lines: Lines) -> None:
    """The next process skips what the gap map lists: a second record that completed behind the first."""
    create_topics(broker)
    send(broker.bootstrap_servers, ["hold", "echo"])
    settings = settings_for(broker.bootstrap_servers, drain_timeout_seconds=0.5)
    with running(CommandStage(), settings) as started:
        records_on(broker.bootstrap_servers, OUTPUT, count=1, timeout_seconds=30)
        started.stop()
    assert lines.named("record skipped") == []
    stage = CommandStage()
    stage.release.set()
    with running(stage, settings) as started:
        records_on(broker.bootstrap_servers, OUTPUT, count=2, timeout_seconds=30)
        started.stop()
    assert [line["record"] for line in lines.named("record skipped")] == [f"{TOPIC}[0]@1"]
