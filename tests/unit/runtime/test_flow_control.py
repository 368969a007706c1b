"""Back-pressure: when there is room, when there is none, and which partitions pause."""

from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.runtime.flow_control import (
    UNDELIVERED_FACTOR,
    FetchState,
    FlowControl,
    pause_changes,
    reserved_records,
)
from consumers.runtime.offsets.books import Books
from consumers.runtime.partition import AssignedPartition, Flight
from consumers.runtime.ports import Job, Weight
from schemas.kafka.records import Record
from schemas.settings import RuntimeSettings
from tests.support.clock import HandClock
from tests.unit.runtime.runtime_bench import unconnected

LIMITS: Final = RuntimeSettings(in_flight_records=8, in_flight_bytes=1_000, in_flight_audio_seconds=100.0)


def no_job(_flight: Flight) -> Job:
    """Fail: flights of these tests never run."""
    raise NotImplementedError


def flight(offset: int) -> Flight:
    """Build a record in flight, without a runtime."""
    record = Record("t", 0, offset, None, b"")
    partition = AssignedPartition(("t", 0), Books(None, holder="h", wary_records=0, killer_attempts=3), epoch=1)
    return Flight(record, partition, no_job, origin=record.coordinates, attempt=1, taken_at=0.0)


@pytest.fixture
def flow() -> Iterator[FlowControl]:
    """Return flow control with nothing in flight."""
    with unconnected() as consumer:
        yield FlowControl(consumer, LIMITS, clock=HandClock())


@pytest.mark.parametrize(
    "weights",
    [[Weight()] * 8, [Weight(250, 0.0)] * 4, [Weight(0, 25.0)] * 4],
    ids=["records", "bytes", "audio"],
)
def test_each_limit_alone_leaves_no_room(flow: FlowControl, weights: list[Weight]) -> None:
    """Records, bytes of the objects, seconds of audio: whichever is reached first."""
    for offset, weight in enumerate(weights):
        assert flow.room > 0
        each = flight(offset)
        flow.add(each)
        flow.reweigh(each, weight)
    assert flow.room == 0


def test_room_comes_back_when_a_quarter_of_the_records_is_done(flow: FlowControl) -> None:
    """Not at the first that completes: every pause throws a prefetch away."""
    flights = [flight(number) for number in range(8)]
    for each in flights:
        flow.add(each)
    rooms = [flow.room]
    for each in flights[:3]:
        flow.remove(each)
        rooms.append(flow.room)
    for each in (flight(8), flight(9)):
        flow.add(each)
        rooms.append(flow.room)
    assert rooms == [0, 0, 0, 3, 2, 1]


def test_bytes_and_audio_have_no_slack(flow: FlowControl) -> None:
    """Below their limits there is room at once, however much one file holds, even with most records taken."""
    flights = [flight(number) for number in range(7)]
    for each in flights:
        flow.add(each)
        flow.reweigh(each, Weight(0, 100 / 7))
    assert flow.room == 0
    flow.reweigh(flights[0], Weight(0, 14.0))
    assert flow.room == 1


@pytest.mark.parametrize(
    "weight", [Weight(0, 9_000.0), Weight(5_000, 0.0), Weight(9_000, 9_000.0)], ids=["audio", "bytes", "both"]
)
def test_three_files_longer_than_all_limits_leave_room(flow: FlowControl, weight: Weight) -> None:
    """A record counts for a share of what is allowed, so a few giants leave room, and many do not."""
    flights = [flight(number) for number in range(4)]
    for each in flights:
        flow.add(each)
    for each in flights[:3]:
        flow.reweigh(each, weight)
    assert flow.room > 0
    flow.reweigh(flights[3], weight)
    assert flow.room == 0
    assert flow.audio_seconds == 4 * weight.audio_seconds
    for each in flights:
        flow.remove(each)
    assert (flow.counted_bytes, flow.counted_audio_seconds, flow.size_bytes, flow.audio_seconds) == (0, 0, 0, 0)


def test_a_settled_record_weighs_nothing_however_late_its_weight_is_known(flow: FlowControl) -> None:
    """The command with its weight may reach the owner after the record has been settled."""
    each = flight(0)
    flow.add(each)
    flow.remove(each)
    flow.reweigh(each, Weight(500, 50.0))
    assert (flow.counted_bytes, flow.audio_seconds, each.weight) == (0, 0, Weight())


def test_outputs_that_the_broker_does_not_confirm_leave_no_room(flow: FlowControl) -> None:
    """Neither for bulk nor for interactive records: what is settled and undelivered is held in memory."""
    flow.await_delivery(UNDELIVERED_FACTOR * LIMITS.in_flight_records)
    assert (flow.room, flow.reserved_room) == (0, 0)
    flow.await_delivery(-1)
    assert (flow.room, flow.reserved_room) == (8, reserved_records(LIMITS))


def test_a_reserved_place_is_free_again_when_its_record_is_over(flow: FlowControl) -> None:
    """And it is not one of the others."""
    each = flight(0)
    flow.add(each)
    flow.reserve(each)
    assert flow.reserved_room == reserved_records(LIMITS) - 1
    flow.remove(each)
    assert flow.reserved_room == reserved_records(LIMITS)


@given(limit=st.integers(1, 1_000), taken=st.integers(0, 50))
def test_there_is_always_room_when_nothing_is_in_flight(limit: int, taken: int) -> None:
    """Whatever the limit, waiting ends."""
    with unconnected() as consumer:
        flow = FlowControl(consumer, RuntimeSettings(in_flight_records=limit), clock=HandClock())
        flights = [flight(number) for number in range(taken)]
        for each in flights:
            flow.add(each)
        for each in flights:
            flow.remove(each)
        assert flow.room > 0


def test_only_changes_are_returned() -> None:
    """A partition pauses for its own backlog or its own gap map, and each change is sent to the client once."""

    def fetch(number: int, *, paused: bool = False, waiting: int = 0, can_receive: bool = True) -> FetchState:
        return FetchState(("t", number), paused, waiting, can_receive)

    fetches = [
        fetch(0),
        fetch(1, waiting=3),
        fetch(2, can_receive=False),
        fetch(3, paused=True),
        fetch(4, paused=True, waiting=1),
    ]
    changes = pause_changes(fetches, shut=False)
    assert changes.pause == (("t", 1), ("t", 2))
    assert changes.resume == (("t", 3),)
    assert pause_changes(fetches, shut=True).pause == (("t", 0), ("t", 1), ("t", 2))
    assert pause_changes(fetches, shut=True).resume == ()
