"""What becomes of attempts that ended: complete, again, a dead letter, or nothing at all."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from consumers.runtime.commit_metadata import CommitMetadata
from consumers.runtime.dependencies import DependencyWatch
from consumers.runtime.flight import Flight, job_context, speaking_of
from consumers.runtime.metrics import Metrics
from consumers.runtime.settlement import Settlement
from consumers.runtime.stage import CancelledByCaller, FollowsAnother, Job
from schemas import dead_letters, history
from schemas.errors import AudioNotFound, AudioUndecodable, DependencyDown, JobCancelled
from schemas.events import Failure
from schemas.records import OutgoingRecord, Record
from schemas.settings import RuntimeSettings, Settings
from tests.flow.stages import CommandStage, Unreasonable
from tests.unit.taking_in import TakingIn, offsets, taking_in

OUTPUT = OutgoingRecord("out", b"key", b"done")
WARY = (100, " odead")
"""Taken over from a process that ended: every record is named before it runs."""


class MuteableStage(CommandStage):
    """Fails to say that a record failed, when it is told to."""

    mute = False

    def failed(self, job: Job, failure: Failure) -> Sequence[OutgoingRecord]:
        """Raises what a stage should not."""
        if self.mute:
            raise ZeroDivisionError("a mistake of the stage")
        return super().failed(job, failure)


class Settling:
    """An intake whose outcomes are settled; what leaves lies in ``left``."""

    def __init__(self, bench: TakingIn) -> None:
        self.bench = bench
        self.registry = CollectorRegistry()
        self.stage = MuteableStage()
        self.watch = DependencyWatch(lambda _: False, interval_seconds=60, recovered=lambda *_: None)
        self.settlement = Settlement(
            self.stage,
            bench.intake,
            bench.outlet,
            self.watch,
            settings=Settings(runtime=RuntimeSettings(retry_delays_seconds=(10, 60))),
            metrics=Metrics(self.registry),
            clock=bench.clock,
        )

    def take(self, *offsets: int) -> list[Flight]:
        """The flights of records that arrived now, handed over and begun."""
        self.bench.arrive(*offsets)
        flights = [flight for _ in range(3) for flight in self.bench.turn()]
        for flight in flights:
            flight.started = True
        return flights

    def end(self, flight: Flight, outcome: BaseException | OutgoingRecord | None = None) -> None:
        """The attempt came back like this, and is settled."""
        flight.error = outcome if isinstance(outcome, BaseException) else None
        flight.outputs = (outcome,) if isinstance(outcome, OutgoingRecord) else ()
        self.settlement.settle(flight)

    def left(self) -> list[OutgoingRecord]:
        """What goes to the broker because of it."""
        self.bench.outlet.release()
        return [output for batch, _ in self.bench.outbox.batches for output in batch.outputs]

    def sample(self, name: str, **labels: str) -> float:
        """A metric of this stage; 0 when it was never set."""
        return self.registry.get_sample_value(name, {"stage": "commands", **labels}) or 0.0

    def settled(self, outcome: str) -> float:
        """How many records ended so."""
        labels = {"topic": "in", "outcome": outcome}
        return self.registry.get_sample_value("kascribe_records_settled_total", labels) or 0.0


@contextmanager
def settling(*committed: tuple[int, str]) -> Iterator[Settling]:
    """An intake of one partition, or as given."""
    with taking_in(*(committed or ((0, ""),))) as bench:
        yield Settling(bench)


def _is_complete(flight: Flight) -> bool:
    return flight.record.offset < flight.partition.ledger.watermark


def _letter(output: OutgoingRecord) -> dead_letters.DeadLetter:
    return dead_letters.read(Record(output.topic, 0, 0, output.key, output.value, tuple(output.headers), 0))


def test_a_record_that_succeeded_is_complete_once_and_its_outputs_leave() -> None:
    """Its room is free, and the journal knows it no more."""
    with settling(WARY) as bench:
        (flight,) = bench.take(100)
        bench.end(flight, OUTPUT)
        assert bench.left() == [OUTPUT]
        assert _is_complete(flight)
        assert (bench.bench.load.records, flight.partition.flights, bench.settled("completed")) == (0, {}, 1)


@pytest.mark.parametrize(
    "outcome",
    [
        OUTPUT,
        None,
        AudioUndecodable("not audio"),
        AudioNotFound("gone"),
        CancelledByCaller((OUTPUT,)),
    ],
)
def test_an_outcome_of_a_partition_that_is_gone_is_dropped(outcome: BaseException | OutgoingRecord | None) -> None:
    """Whatever it is: another process does the record, or has done it, and nothing may leave from here."""
    with settling() as bench:
        (flight,) = bench.take(0)
        bench.bench.intake.abandon(flight.partition)
        bench.bench.assignment.let_go([flight.partition.key])
        bench.end(flight, outcome)
        assert bench.left() == []
        assert not _is_complete(flight)
        assert (bench.settled("dropped"), bench.bench.load.records) == (1, 0)


def test_an_attempt_that_never_began_is_left_to_the_next_holder() -> None:
    """Its partition drains: the worker handed it back as it was."""
    with settling() as bench:
        (flight,) = bench.take(0)
        flight.started, flight.cancelled = False, True
        bench.end(flight)
        assert not _is_complete(flight)
        assert bench.settled("dropped") == 1


def test_an_attempt_that_succeeded_although_it_was_cancelled_is_complete() -> None:
    """The partition still drains, so its outcome counts."""
    with settling() as bench:
        (flight,) = bench.take(0)
        flight.cancelled = True
        bench.end(flight, OUTPUT)
        assert (bench.left(), _is_complete(flight)) == ([OUTPUT], True)


def test_what_the_runtime_cancelled_is_not_complete_and_leaves_nothing() -> None:
    """Another process does it again."""
    with settling() as bench:
        (flight,) = bench.take(0)
        flight.cancelled = True
        bench.end(flight, JobCancelled("the partition is gone"))
        assert bench.left() == []
        assert (_is_complete(flight), bench.settled("dropped")) == (False, 1)


def test_what_its_caller_cancelled_is_complete_with_what_the_stage_says_about_it() -> None:
    """Nobody does it again."""
    with settling() as bench:
        (flight,) = bench.take(0)
        bench.end(flight, CancelledByCaller((OUTPUT,)))
        assert bench.left() == [OUTPUT]
        assert (_is_complete(flight), bench.settled("cancelled")) == (True, 1)


def test_what_stopped_for_no_reason_that_is_known_is_tried_again() -> None:
    """Neither the runtime nor a caller cancelled it: the record must not be lost with the attempt."""
    with settling() as bench:
        (flight,) = bench.take(0)
        bench.end(flight, JobCancelled("the decoders are shut down"))
        (again,) = bench.left()
        assert again.topic == "in.retry.10s"
        assert (_is_complete(flight), bench.settled("retried")) == (True, 1)


def test_the_journal_hears_when_an_attempt_ends_and_when_its_record_is_complete() -> None:
    """Else a process that ends later is held against records that did not run."""
    with settling(WARY) as bench:
        parked, failed, done = bench.take(100, 101, 102)
        bench.end(parked, DependencyDown("s3", "refused"))
        bench.bench.commit()
        confirmed = parked.partition.confirmed
        names = CommitMetadata.read(confirmed.metadata).journal[5:].split(",")
        assert set(names) == {"0-1", "1+1", "2+1"}
        bench.end(done, OUTPUT)
        bench.end(failed, AudioUndecodable("not audio"))
        bench.bench.commit()
        names = CommitMetadata.read(parked.partition.confirmed.metadata).journal[5:].split(",")
        assert names == ["0-1"]


def test_a_record_is_set_aside_with_a_letter_that_says_how_often_and_how_processes_ended() -> None:
    """Only where it reached the limit alone; subscribers hear of it."""
    with settling((100, " wdead0!3.1")) as bench:
        assert bench.take(100, 101) != []
        bench.settlement.set_aside()
        letter, told = bench.left()
        assert letter.topic == "in.dlq"
        assert _letter(letter).reason == "killer_record"
        assert (
            "4 processes ended while this record ran, 2 of them while nothing else did" in _letter(letter).message
        )
        assert told.value == b"failed: killer_record"
        assert bench.bench.intake.set_aside == []
        assert bench.settled("dead_lettered") == 1


def test_a_dependency_that_is_down_parks_the_attempt_and_it_runs_again_when_it_is_up() -> None:
    """The same attempt; only a recovery at the first look counts as a pause that helped nobody."""
    with settling() as bench:
        first, second = bench.take(0, 1)
        bench.end(first, DependencyDown("s3", "refused"))
        assert bench.registry.get_sample_value("kascribe_dependency_down", {"dependency": "s3"}) == 1
        assert (bench.settled("parked"), _is_complete(first), bench.bench.intake.room) == (1, False, 0)
        assert "s3" in bench.watch._watched
        bench.settlement.recovered("s3", 1)
        assert bench.registry.get_sample_value("kascribe_dependency_down", {"dependency": "s3"}) == 0
        assert first.pauses == 1
        (again,) = bench.bench.turn()
        assert (again is first, again.attempt) == (True, 1)
        bench.end(again, DependencyDown("s3", "refused"))
        bench.settlement.recovered("s3", 2)
        assert (first.pauses, second.pauses) == (0, 0)


@pytest.mark.parametrize("field", ["cancelled", "draining"])
def test_an_attempt_that_meets_an_outage_while_its_partition_leaves_waits_for_nobody(field: str) -> None:
    """It is dropped, and the next holder meets the outage or its end."""
    with settling() as bench:
        (flight,) = bench.take(0)
        flight.cancelled = field == "cancelled"
        flight.partition.draining = field == "draining"
        bench.end(flight, DependencyDown("s3", "refused"))
        assert (bench.bench.intake.down, bench.settled("dropped"), _is_complete(flight)) == ({}, 1, False)


def test_a_transient_failure_goes_to_the_retry_topic_with_its_next_attempt() -> None:
    """And its record is complete where it was."""
    with settling() as bench:
        (flight,) = bench.take(0)
        bench.end(flight, AudioNotFound("not there yet"))
        (again,) = bench.left()
        assert (again.topic, again.value) == ("in.retry.10s", flight.record.value)
        assert dict(again.headers)[history.ATTEMPT] == b"2"
        assert _is_complete(flight)


def test_an_error_that_cannot_be_described_leaves_a_bare_letter() -> None:
    """Its reason is none of the closed set: the record is not lost for that."""
    with settling() as bench:
        (flight,) = bench.take(0)
        bench.end(flight, Unreasonable("an error whose reason is none"))
        (letter,) = bench.left()
        assert (letter.topic, letter.value) == ("in.dlq", flight.record.value)
        assert _letter(letter).reason == "internal_error"
        assert (bench.settled("dead_lettered"), _is_complete(flight)) == (1, True)


def test_a_record_that_follows_another_waits_without_an_outcome() -> None:
    """It is neither complete nor failed, and runs again when the other one has ended."""
    with settling() as bench:
        leader, follower = bench.take(0, 1)
        bench.end(follower, FollowsAnother(leader.origin))
        assert (bench.left(), bench.bench.turn(), bench.bench.load.records) == ([], [], 2)
        assert bench.sample("kascribe_stage_seconds_count", outcome="failed") == 0
        assert bench.settled("joined") == 1
        bench.end(leader, OUTPUT)
        assert bench.bench.turn() == [follower]


@pytest.mark.parametrize("field", ["cancelled", "draining"])
def test_a_record_that_would_follow_another_while_its_partition_leaves_is_dropped(field: str) -> None:
    """The next holder follows it, or does it."""
    with settling() as bench:
        leader, follower = bench.take(0, 1)
        follower.cancelled = field == "cancelled"
        follower.partition.draining = field == "draining"
        bench.end(follower, FollowsAnother(leader.origin))
        assert (bench.settled("dropped"), bench.settled("joined"), bench.bench.load.records) == (1, 0, 1)
        follower.partition.draining = False
        bench.end(leader, OUTPUT)
        assert bench.bench.turn() == []


def test_every_end_is_counted_and_timed() -> None:
    """By how it ended: dashboards and alerts go by these."""
    with settling() as bench:
        done, again, over = bench.take(0, 1, 2)
        done.seconds, again.seconds, over.seconds = 3.0, 5.0, 7.0
        bench.end(done, OUTPUT)
        bench.end(again, AudioNotFound("not there yet"))
        bench.end(over, AudioUndecodable("not audio"))
        assert bench.sample("kascribe_stage_seconds_sum", outcome="done") == 3.0
        assert bench.sample("kascribe_stage_seconds_sum", outcome="failed") == 12.0
        assert bench.registry.get_sample_value("kascribe_retries_total", {"reason": "audio_not_found"}) == 1
        assert bench.registry.get_sample_value("kascribe_dead_letters_total", {"reason": "audio_undecodable"}) == 1


def test_an_operator_reads_why_intake_pauses_and_what_a_stage_did_wrong() -> None:
    """Once an outage begins and ends, and for every error that the stage should have translated."""
    with settling() as bench, capture_logs() as said:
        first, second, third, fourth = bench.take(0, 1, 2, 3)
        bench.end(first, DependencyDown("s3", "connection refused"))
        bench.end(second, DependencyDown("s3", "connection refused"))
        bench.settlement.recovered("s3", 1)
        bench.end(third, ZeroDivisionError("a mistake of the stage"))
        bench.end(fourth, AudioNotFound("not there yet"))
    assert [(line["log_level"], line.get("why")) for line in said] == [
        ("warning", "connection refused"),
        ("info", None),
        ("error", None),
    ]


def test_an_operator_reads_why_a_record_was_given_up() -> None:
    """And what went wrong while it was: an announcement that failed, a letter that lacks its headers."""
    with settling() as bench, capture_logs() as said:
        plain, mute, odd = bench.take(0, 1, 2)
        bench.end(plain, AudioUndecodable("not audio"))
        bench.stage.mute = True
        bench.end(mute, AudioUndecodable("not audio either"))
        bench.end(odd, Unreasonable("an error whose reason is none"))
        assert [output.topic for output in bench.left()] == ["in.dlq", "out", "in.dlq", "in.dlq"]
    levels = [(line["log_level"], line.get("why")) for line in said]
    assert levels == [("warning", "not audio"), ("warning", "not audio either"), ("error", None), ("error", None)]


def test_what_one_job_logs_is_not_said_of_the_next() -> None:
    """Neither what its stage bound nor which record it was, whether it failed or not."""
    with settling() as bench:
        failing, following = bench.take(0, 1)
        failing.record = Record("in", 0, 0, b"key", b"bad", (), 0)
        for flight in (failing, following):
            flight.run(bench.stage)
            assert structlog.contextvars.get_contextvars() == {}
            assert job_context(None, "info", {"event": "idle"}) == {"event": "idle"}
        assert failing.bound == {"job_id": "job of bad"}
        assert following.bound == {}
        with speaking_of(failing):
            said = job_context(None, "info", {"event": "failed"})
        assert (said["job_id"], said["record"], said["attempt"]) == ("job of bad", "in[0]@0", 1)
        assert job_context(None, "info", {"event": "idle"}) == {"event": "idle"}


def test_suspects_that_are_settled_make_room_for_the_next() -> None:
    """Each runs alone, however the one before it ended."""
    with settling((100, " wdead0+1,1+1,2+1")) as bench:
        bench.bench.arrive(100, 101, 102)
        ran = []
        for outcome in (OUTPUT, AudioNotFound("gone"), AudioUndecodable("not audio")):
            (flight,) = [flight for _ in range(3) for flight in bench.bench.turn()]
            flight.started = True
            ran.append(flight)
            bench.end(flight, outcome)
        assert offsets(ran) == [100, 101, 102]
