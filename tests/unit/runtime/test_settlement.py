"""How ended attempts are settled: complete, retried, a dead letter, or nothing at all."""

from typing import Final

import pytest

from consumers.runtime.offsets.commit_metadata import CommitMetadata
from consumers.runtime.partition import Flight, PartitionState
from consumers.runtime.ports import CancelledByCaller, FollowsAnother
from schemas.errors import AudioNotFound, AudioUndecodable, DependencyDown, JobCancelled
from schemas.kafka import dead_letters, history
from schemas.kafka.records import OutgoingRecord, Record
from tests.flow.stages import UnknownReason
from tests.unit.runtime.runtime_bench import offsets
from tests.unit.runtime.settlement_bench import OUTPUT, settlement_bench

WARY: Final = (100, " odead")
"""Taken over from a process that ended: every record is named before it runs."""


def _is_complete(flight: Flight) -> bool:
    return flight.record.offset < flight.partition.books.ledger.watermark


def _letter(output: OutgoingRecord) -> dead_letters.DeadLetter:
    return dead_letters.read(Record(output.topic, 0, 0, output.key, output.value, tuple(output.headers), 0))


def test_a_record_that_succeeded_is_complete_once_and_its_outputs_leave() -> None:
    """Its room is free, and the journal knows it no more."""
    with settlement_bench(WARY) as bench:
        (flight,) = bench.take(100)
        bench.end(flight, OUTPUT)
        assert bench.left() == [OUTPUT]
        assert _is_complete(flight)
        assert (bench.bench.flow_control.records, flight.partition.flights, bench.settled("completed")) == (
            0,
            {},
            1,
        )


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
    with settlement_bench() as bench:
        (flight,) = bench.take(0)
        bench.bench.dispatch.drop(flight.partition)
        bench.bench.assignment.remove([flight.partition.key])
        bench.end(flight, outcome)
        assert bench.left() == []
        assert not _is_complete(flight)
        assert (bench.settled("dropped"), bench.bench.flow_control.records) == (1, 0)


def test_an_attempt_that_never_began_is_left_to_the_next_holder() -> None:
    """Its partition drains: the worker handed it back as it was."""
    with settlement_bench() as bench:
        (flight,) = bench.take(0)
        flight.requeue()
        flight.cancel()
        bench.end(flight)
        assert not _is_complete(flight)
        assert bench.settled("dropped") == 1


def test_an_attempt_that_succeeded_although_it_was_cancelled_is_complete() -> None:
    """The partition still drains, so its outcome counts."""
    with settlement_bench() as bench:
        (flight,) = bench.take(0)
        flight.cancel()
        bench.end(flight, OUTPUT)
        assert (bench.left(), _is_complete(flight)) == ([OUTPUT], True)


def test_what_the_runtime_cancelled_is_not_complete_and_leaves_nothing() -> None:
    """Another process does it again."""
    with settlement_bench() as bench:
        (flight,) = bench.take(0)
        flight.cancel()
        bench.end(flight, JobCancelled("the partition is gone"))
        assert bench.left() == []
        assert (_is_complete(flight), bench.settled("dropped")) == (False, 1)


def test_what_its_caller_cancelled_is_complete_with_what_the_stage_reports_about_it() -> None:
    """No process does it again."""
    with settlement_bench() as bench:
        (flight,) = bench.take(0)
        bench.end(flight, CancelledByCaller((OUTPUT,)))
        assert bench.left() == [OUTPUT]
        assert (_is_complete(flight), bench.settled("cancelled")) == (True, 1)


def test_what_stopped_for_no_known_reason_is_tried_again() -> None:
    """Neither the runtime nor a caller cancelled it: the record must not be lost with the attempt."""
    with settlement_bench() as bench:
        (flight,) = bench.take(0)
        bench.end(flight, JobCancelled("the decoders are shut down"))
        (again,) = bench.left()
        assert again.topic == "in.retry.10s"
        assert (_is_complete(flight), bench.settled("retried")) == (True, 1)


def test_the_journal_notes_when_an_attempt_ends_and_when_its_record_is_complete() -> None:
    """Otherwise a process that ends later is held against records that did not run."""
    with settlement_bench(WARY) as bench:
        parked, failed, done = bench.take(100, 101, 102)
        bench.end(parked, DependencyDown("s3", "refused"))
        bench.bench.commit()
        confirmed = parked.partition.books.confirmed
        names = CommitMetadata.read(confirmed.metadata).journal[5:].split(",")
        assert set(names) == {"0-1", "1+1", "2+1"}
        bench.end(done, OUTPUT)
        bench.end(failed, AudioUndecodable("not audio"))
        bench.bench.commit()
        names = CommitMetadata.read(parked.partition.books.confirmed.metadata).journal[5:].split(",")
        assert names == ["0-1"]


def test_a_record_is_set_aside_with_a_letter_that_states_how_often_and_how_processes_ended() -> None:
    """Only where it reached the limit alone; subscribers get an event about it."""
    with settlement_bench((100, " wdead0!3.1")) as bench:
        assert bench.take(100, 101) != []
        bench.settlement.settle_set_aside()
        letter, event = bench.left()
        assert letter.topic == "in.dlq"
        assert _letter(letter).reason == "killer_record"
        assert (
            "4 processes ended while this record ran, 2 of them while nothing else did" in _letter(letter).message
        )
        assert event.value == b"failed: killer_record"
        assert bench.bench.dispatch.take_set_aside() == []
        assert bench.settled("dead_lettered") == 1


def test_a_dependency_that_is_down_parks_the_attempt_and_it_runs_again_when_it_is_up() -> None:
    """The same attempt; only a recovery at the first probe counts as a pause that did not help."""
    with settlement_bench() as bench:
        first, second = bench.take(0, 1)
        bench.end(first, DependencyDown("s3", "refused"))
        assert bench.registry.get_sample_value("kascribe_dependency_down", {"dependency": "s3"}) == 1
        assert (bench.settled("parked"), _is_complete(first), bench.bench.intake.room) == (1, False, 0)
        assert "s3" in bench.watch._outages
        bench.settlement.on_recovery("s3", 1)
        assert bench.registry.get_sample_value("kascribe_dependency_down", {"dependency": "s3"}) == 0
        assert first.pauses == 1
        (again,) = bench.bench.turn()
        assert (again is first, again.attempt) == (True, 1)
        bench.end(again, DependencyDown("s3", "refused"))
        bench.settlement.on_recovery("s3", 2)
        assert (first.pauses, second.pauses) == (0, 0)


@pytest.mark.parametrize("field", ["cancelled", "draining"])
def test_an_attempt_that_meets_an_outage_while_its_partition_leaves_does_not_wait(field: str) -> None:
    """It is dropped, and the next holder meets the outage or its end."""
    with settlement_bench() as bench:
        (flight,) = bench.take(0)
        if field == "cancelled":
            flight.cancel()
        else:
            flight.partition.advance(PartitionState.DRAINING)
        bench.end(flight, DependencyDown("s3", "refused"))
        assert (bench.bench.dispatch.parked, bench.settled("dropped"), _is_complete(flight)) == ({}, 1, False)


def test_a_transient_failure_goes_to_the_retry_topic_with_its_next_attempt() -> None:
    """And its record is complete where it was."""
    with settlement_bench() as bench:
        (flight,) = bench.take(0)
        bench.end(flight, AudioNotFound("not there yet"))
        (again,) = bench.left()
        assert (again.topic, again.value) == ("in.retry.10s", flight.record.value)
        assert dict(again.headers)[history.ATTEMPT] == b"2"
        assert _is_complete(flight)


def test_a_transient_failure_on_a_topic_of_other_roles_is_a_dead_letter() -> None:
    """Another role reads the retry topics of that topic: it would do the record's work again."""
    with settlement_bench() as bench:
        bench.stage.retried_topics = ()
        (flight,) = bench.take(0)
        bench.end(flight, AudioNotFound("not there yet"))
        letter, _ = bench.left()
        assert (letter.topic, _letter(letter).reason) == ("in.dlq", "audio_not_found")


def test_an_error_that_cannot_be_described_leaves_a_bare_letter() -> None:
    """Its reason is none of the closed set: the record is not lost because of that."""
    with settlement_bench() as bench:
        (flight,) = bench.take(0)
        bench.end(flight, UnknownReason("an error whose reason is none"))
        (letter,) = bench.left()
        assert (letter.topic, letter.value) == ("in.dlq", flight.record.value)
        assert _letter(letter).reason == "internal_error"
        assert (bench.settled("dead_lettered"), _is_complete(flight)) == (1, True)


def test_a_record_that_follows_another_waits_without_an_outcome() -> None:
    """It is neither complete nor failed, and runs again when the other one has ended."""
    with settlement_bench() as bench:
        leader, follower = bench.take(0, 1)
        bench.end(follower, FollowsAnother(leader.origin))
        assert (bench.left(), bench.bench.turn(), bench.bench.flow_control.records) == ([], [], 2)
        assert bench.sample("kascribe_stage_seconds_count", outcome="failed") == 0
        assert bench.settled("joined") == 1
        bench.end(leader, OUTPUT)
        assert bench.bench.turn() == [follower]


@pytest.mark.parametrize("field", ["cancelled", "draining"])
def test_a_record_that_would_follow_another_while_its_partition_leaves_is_dropped(field: str) -> None:
    """The next holder follows the leader, or does the job."""
    with settlement_bench() as bench:
        leader, follower = bench.take(0, 1)
        if field == "cancelled":
            follower.cancel()
        else:
            follower.partition.advance(PartitionState.DRAINING)
        bench.end(follower, FollowsAnother(leader.origin))
        assert (bench.settled("dropped"), bench.settled("joined"), bench.bench.flow_control.records) == (1, 0, 1)
        bench.end(leader, OUTPUT)
        assert bench.bench.turn() == []


def test_suspects_that_are_settled_make_room_for_the_next() -> None:
    """Each runs alone, however the one before it ended."""
    with settlement_bench((100, " wdead0+1,1+1,2+1")) as bench:
        bench.bench.arrive(100, 101, 102)
        ran = []
        for outcome in (OUTPUT, AudioNotFound("gone"), AudioUndecodable("not audio")):
            (flight,) = [flight for _ in range(3) for flight in bench.bench.turn()]
            flight.begin()
            ran.append(flight)
            bench.end(flight, outcome)
        assert offsets(ran) == [100, 101, 102]
