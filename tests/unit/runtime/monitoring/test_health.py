"""Health: what a snapshot means, and how it is served."""

import json
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry

from consumers.metrics import IN_FLIGHT_RECORDS, RUNTIME_METRICS, Metrics, catalogue
from consumers.runtime.monitoring.health import (
    DELIVERY_SECONDS,
    MEMBERSHIP_SECONDS,
    STALL_SECONDS,
    TURN_SECONDS,
    live,
    ready,
)
from consumers.runtime.monitoring.membership import SILENCE_SECONDS, Membership
from consumers.runtime.monitoring.server import HealthServer
from consumers.runtime.monitoring.snapshot import PartitionView, Snapshot
from schemas.errors import ConfigurationError
from schemas.kafka.records import OutgoingRecord
from schemas.monitoring import HealthReport, Metric
from schemas.settings import ServerSettings
from tests.unit.runtime.runtime_bench import runtime_bench

HELD = {("in", 0): PartitionView(0, 0, 0, 0, 0.0, 0, 0, is_paused=False)}
MEMBER = Membership(answered_at=100.0, member_at=100.0, has_answered=True)
WELL = Snapshot(taken_at=100.0, turned_at=100.0, active_at=100.0, membership=MEMBER, partitions=HELD)


def test_a_loop_that_turns_is_alive_whatever_else_is_down() -> None:
    """Restarting the process would not bring a bucket back, however long the records wait for it."""
    now = 100.0 + STALL_SECONDS + 1
    waiting = replace(WELL, taken_at=now, turned_at=now, in_flight_records=1, dependencies_down=("s3",))
    assert live(waiting, now=now).ok
    assert not live(replace(waiting, dependencies_down=()), now=now).ok
    assert ready(replace(WELL, in_flight_records=1, dependencies_down=("s3",)), now=100.0).reasons == (
        "waiting for s3",
    )


def test_a_loop_that_hangs_is_not_live_and_reports_since_when() -> None:
    """It no longer polls, so the group is about to evict the process anyway."""
    report = live(WELL, now=100.0 + TURN_SECONDS + 1)
    assert not report.ok
    assert report.reasons == ("the loop has not turned for 61 s",)


def test_both_answers_say_how_long_ago_the_loop_turned() -> None:
    """To the millisecond, beside what it holds."""
    for report in (live(WELL, now=101.2504), ready(WELL, now=101.2504)):
        assert report.ok
        assert report.facts == {
            "last_turn_age_seconds": 1.25,
            "partitions": 1,
            "in_flight_records": 0,
            "in_flight_audio_seconds": 0.0,
            "waiting_records": 0,
            "undelivered_records": 0,
            "oldest_undelivered_age_seconds": 0.0,
        }


def test_work_that_never_ends_is_found_although_the_loop_turns() -> None:
    """Hours without one attempt ending, with work in flight, are not a long file."""
    now = 100.0 + STALL_SECONDS + 1
    stuck = Snapshot(taken_at=now, turned_at=now, active_at=100.0, partitions=HELD, in_flight_records=3)
    assert "3 records are in flight and nothing was heard of any for hours" in live(stuck, now=now).reasons
    assert live(Snapshot(taken_at=now, turned_at=now, active_at=100.0, partitions=HELD), now=now).ok


def test_a_record_taken_in_after_idle_hours_is_not_taken_for_stuck_work() -> None:
    """What counts is how long work shows no activity, not how long there was no work."""
    with runtime_bench((0, "")) as bench:
        bench.clock.seconds = 5 * 3600.0
        assert live(bench.snapshot(), now=bench.clock.seconds).ok
        bench.arrive(0)
        bench.turn()
        bench.clock.seconds += 1.0
        assert live(bench.snapshot(), now=bench.clock.seconds).ok
        bench.clock.seconds += STALL_SECONDS + 1
        assert not live(bench.snapshot(), now=bench.clock.seconds).ok


def test_a_dependency_that_comes_back_after_hours_leaves_no_stuck_work() -> None:
    """What waited for it is submitted again, and its time starts then."""
    with runtime_bench((0, "")) as bench:
        bench.arrive(0)
        (flight,) = bench.turn()
        bench.park(flight)
        bench.clock.seconds = STALL_SECONDS * 2
        bench.dispatch.unpark("s3", was_outage=False)
        bench.clock.seconds += 1.0
        assert bench.snapshot().in_flight_records == 1
        assert live(bench.snapshot(), now=bench.clock.seconds).ok


def test_work_that_reports_is_alive_however_long_it_takes() -> None:
    """Twelve hours of audio may take as long; every interim report counts as activity."""
    with runtime_bench((0, "")) as bench:
        bench.arrive(0)
        (flight,) = bench.turn()
        for _ in range(3):
            bench.clock.seconds += STALL_SECONDS - 1
            flight.as_job().report(OutgoingRecord("audio.progress", b"job", b"half"))
            assert live(bench.snapshot(), now=bench.clock.seconds).ok


def test_a_process_whose_outputs_are_stuck_is_alive_and_not_ready() -> None:
    """The broker's problem belongs to readiness; a new process would meet the same."""
    with runtime_bench((0, "")) as bench:
        assert ready(bench.snapshot(), now=bench.clock.seconds).ok
        bench.outbox.problem = "delivery to audio.transcripts fails: timed out"
        bench.clock.seconds += 1.0
        stuck = bench.snapshot()
        assert ready(stuck, now=bench.clock.seconds).reasons == ("delivery to audio.transcripts fails: timed out",)
        assert live(stuck, now=bench.clock.seconds).ok
        bench.outbox.problem = None
        bench.clock.seconds += 1.0
        assert ready(bench.snapshot(), now=bench.clock.seconds).ok


def test_outputs_that_are_never_confirmed_are_noticed_without_an_error() -> None:
    """A batch that is not confirmed for a minute is stuck, also if the client reports no problem."""
    with runtime_bench((0, "")) as bench:
        bench.arrive(0)
        (flight,) = bench.turn()
        bench.finish(flight, OutgoingRecord("audio.transcripts", b"job", b"text"))
        bench.clock.seconds += DELIVERY_SECONDS + 1
        stuck = bench.snapshot()
        assert ready(stuck, now=bench.clock.seconds).reasons == ("outputs are not confirmed for 61 s",)
        assert bench.sample("kascribe_undelivered_records") == 1


def test_a_process_whose_outbox_died_is_dead() -> None:
    """Nothing can be delivered any more, so the process must be replaced."""
    with runtime_bench((0, "")) as bench:
        bench.outbox.is_alive, bench.outbox.problem = False, "the outbox died: KeyError(1)"
        report = live(bench.snapshot(), now=bench.clock.seconds)
        assert report.reasons == ("the outbox died: KeyError(1); only a new process helps",)


def test_a_process_that_lost_its_partitions_is_not_ready() -> None:
    """Until the group gives it some again."""
    with runtime_bench((0, "")) as bench:
        assert ready(bench.snapshot(), now=bench.clock.seconds).ok
        bench.assignment.remove(list(bench.assignment.partitions))
        bench.clock.seconds += 1.0
        assert not ready(bench.snapshot(), now=bench.clock.seconds).ok


def test_a_process_is_ready_once_the_group_let_it_in_and_until_it_drains() -> None:
    """Readiness follows the assignment, not a ping."""
    assert ready(WELL, now=100.0).ok
    assert ready(replace(WELL, partitions={}), now=100.0).reasons == (
        "the consumer group has not assigned any partition",
    )
    assert ready(replace(WELL, is_draining=True), now=100.0).reasons == ("draining before the end",)


def test_readiness_waits_until_the_broker_has_confirmed_the_membership() -> None:
    """What the client believes about itself is not enough."""
    unasked = replace(WELL, membership=Membership(answered_at=100.0, member_at=100.0))
    assert ready(unasked, now=100.0).reasons == (
        "kafka has not confirmed the membership of the consumer group yet",
    )


def test_a_broker_that_has_not_answered_for_too_long_is_named() -> None:
    """Not ready, because records cannot arrive; alive, because a new process would meet the same broker."""
    silent = replace(WELL, membership=replace(MEMBER, problem="Local: Timed out"))
    assert ready(silent, now=100.0 + SILENCE_SECONDS - 1).ok
    report = ready(silent, now=100.0 + SILENCE_SECONDS + 1)
    assert report.reasons == ("kafka has not answered for 16 s", "Local: Timed out")
    assert live(silent, now=100.0 + SILENCE_SECONDS + 1).ok


def test_a_process_that_the_broker_does_not_count_as_a_member_is_not_ready_and_in_the_end_not_alive() -> None:
    """Rebalances take seconds. A client that never comes back from one is replaced."""
    late = 100.0 + MEMBERSHIP_SECONDS + 1
    outside = replace(WELL, membership=replace(MEMBER, is_member=False, partitions=frozenset()))
    assert ready(outside, now=100.0).reasons == (
        "kafka does not count this process among the members of its consumer group",
    )
    assert live(outside, now=100.0).ok
    answering = replace(
        outside, taken_at=late, turned_at=late, membership=replace(outside.membership, answered_at=late)
    )
    assert not live(answering, now=late).ok
    unheard = replace(answering, membership=replace(outside.membership, answered_at=100.0))
    assert live(unheard, now=late).ok, "a broker that is away says nothing about the membership"


def test_partitions_that_the_broker_gave_to_another_member_do_not_count() -> None:
    """A client that was evicted holds its partitions until it notices; some in common are enough."""
    elsewhere = replace(WELL, membership=replace(MEMBER, partitions=frozenset({("in", 1)})))
    assert not ready(elsewhere, now=100.0).ok
    shared = replace(WELL, membership=replace(MEMBER, partitions=frozenset({("in", 0), ("in", 1)})))
    assert ready(shared, now=100.0).ok


def test_a_service_that_hangs_is_noticed_by_time_alone() -> None:
    """A frozen store fails no request for a long while, and with nothing in flight none is made."""
    frozen = replace(WELL, answered_at={"s3": 100.0 - SILENCE_SECONDS - 1})
    assert ready(frozen, now=100.0).reasons == ("s3 has not answered for 16 s",)
    assert ready(replace(frozen, dependencies_down=("s3",)), now=100.0).reasons == ("waiting for s3",)
    assert live(frozen, now=100.0).ok


@pytest.fixture
def server() -> Iterator[HealthServer]:
    """Start the server of a process that is live and not ready, with one metric set."""
    registry = CollectorRegistry()
    Metrics(registry).gauge(IN_FLIGHT_RECORDS).set(7)
    server = HealthServer(
        ServerSettings(port=0),
        live=lambda: HealthReport(True),
        ready=lambda: HealthReport(False, ("no model yet",)),
        registry=registry,
    )
    server.start()
    yield server
    server.stop()


def _get(server: HealthServer, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def test_endpoints_answer_with_a_status_and_the_reasons(server: HealthServer) -> None:
    """Probes read the status, people the body."""
    assert _get(server, "/health/live")[0] == 200
    status, body = _get(server, "/health/ready")
    assert (status, json.loads(body)["reasons"]) == (503, ["no model yet"])
    assert _get(server, "/nothing")[0] == 404
    assert "kascribe_in_flight_records 7.0" in _get(server, "/metrics")[1]


def test_a_port_that_is_taken_is_a_configuration_error_that_names_the_variable(server: HealthServer) -> None:
    """The message names the variable to set."""
    with pytest.raises(ConfigurationError, match="KASCRIBE_SERVER_PORT"):
        HealthServer(
            ServerSettings(port=server.port),
            live=lambda: HealthReport(True),
            ready=lambda: HealthReport(True),
            registry=CollectorRegistry(),
        )


def test_the_catalogue_names_every_metric_once_and_says_what_it_means() -> None:
    """Counters end in _total; a histogram has buckets; the rows of others come after the runtime's."""
    other = Metric("kascribe_windows_total", "counter", "records", ("lane",), "Windows.")
    rows = catalogue([other])
    assert rows[-1] is other
    assert len({row.name for row in rows}) == len(rows) == len(RUNTIME_METRICS) + 1
    for row in rows:
        assert row.meaning.endswith(".")
        assert row.name.endswith("_total") == (row.kind == "counter")
        assert bool(row.buckets) == (row.kind == "histogram")
    Metrics(CollectorRegistry(), [other]).counter(other).labels("bulk").inc()
