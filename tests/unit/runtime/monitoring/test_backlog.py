"""The backlog: records that are not done, by lane, and their audio, stated or estimated."""

from collections.abc import Iterator
from typing import Final

import pytest

from consumers.runtime.monitoring.backlog import UNMEASURED_RECORD_SECONDS, stated_audio
from consumers.runtime.ports import Weight
from schemas.kafka.records import Record
from schemas.options import Lane
from schemas.settings import RuntimeSettings
from tests.flow.stages import TOPIC, CommandStage
from tests.support.notification_fixtures import fixture, only
from tests.unit.runtime.runtime_bench import RuntimeBench, unconnected

ENDS: Final = {(TOPIC, 0): 10}


class _Transcriber(CommandStage):
    name = "transcriber"


@pytest.fixture
def bench() -> Iterator[RuntimeBench]:
    """Yield a transcriber's runtime with one partition of ten records, two of which may be in flight."""
    with unconnected() as consumer:
        settings = RuntimeSettings(in_flight_records=2, in_flight_audio_seconds=1e9)
        bench = RuntimeBench(consumer, ((0, ""),), TOPIC, settings, stage=_Transcriber())
        yield bench


def _records(bench: RuntimeBench, lane: Lane) -> float:
    return bench.sample("kascribe_backlog_records", role="transcriber", lane=lane.value)


def _seconds(bench: RuntimeBench, basis: str) -> float:
    sample = "kascribe_backlog_audio_seconds"
    return sum(bench.sample(sample, role="transcriber", lane=lane.value, basis=basis) for lane in Lane)


def _measure(bench: RuntimeBench) -> None:
    bench.runtime.backlog.measure(bench.assignment.partitions.values(), ENDS)


def _done(bench: RuntimeBench, lane: Lane, weight: Weight) -> None:
    """Let the next record complete with a weight, as a stage weighs it."""
    partition = bench.assignment.partitions[TOPIC, 0]
    bench.arrive(partition.polled, lane=lane)
    (flight,) = bench.turn()
    flight.begin()
    bench.flow_control.reweigh(flight, weight)
    flight.end((), None, 1.0)
    bench.runtime.settlement.settle(flight)


def test_a_record_that_is_neither_read_nor_measured_counts_as_a_minute(bench: RuntimeBench) -> None:
    """The guess that the documentation states, all of it as bulk."""
    _measure(bench)
    assert (_records(bench, Lane.BULK), _records(bench, Lane.INTERACTIVE)) == (10, 0)
    assert _seconds(bench, "estimated") == 10 * UNMEASURED_RECORD_SECONDS
    assert _seconds(bench, "stated") == 0


def test_polled_records_count_by_their_own_lane_and_decoded_ones_by_their_own_length(bench: RuntimeBench) -> None:
    """Of three polled records one runs and is decoded, and one is interactive; seven are on the broker."""
    bench.arrive(0)
    (flight,) = bench.turn()
    bench.flow_control.reweigh(flight, Weight(1_000, 90.0))
    bench.arrive(1, lane=Lane.INTERACTIVE)
    bench.arrive(2)
    _measure(bench)
    assert (_records(bench, Lane.BULK), _records(bench, Lane.INTERACTIVE)) == (9, 1)
    assert _seconds(bench, "stated") == 90.0
    assert _seconds(bench, "estimated") == 9 * UNMEASURED_RECORD_SECONDS


def test_records_on_the_broker_are_estimated_from_those_that_are_done(bench: RuntimeBench) -> None:
    """A quarter was interactive and short, so is a quarter of what waits."""
    for lane, seconds in ((Lane.INTERACTIVE, 4.0), *((Lane.BULK, 100.0),) * 3):
        _done(bench, lane, Weight(1_000, seconds))
    _measure(bench)
    assert (_records(bench, Lane.INTERACTIVE), _records(bench, Lane.BULK)) == (1, 5)
    assert _seconds(bench, "estimated") == pytest.approx(4.0 + 5 * 100.0)


def test_a_backlog_that_is_done_is_zero(bench: RuntimeBench) -> None:
    """So that a scaler removes processes."""
    for _ in range(10):
        _done(bench, Lane.BULK, Weight(1_000, 5.0))
    _measure(bench)
    assert (_records(bench, Lane.BULK), _seconds(bench, "estimated"), _seconds(bench, "stated")) == (0, 0, 0)


def test_a_notification_is_estimated_from_the_size_of_its_object(bench: RuntimeBench) -> None:
    """From the mean seconds per byte of what was decoded before."""
    _done(bench, Lane.BULK, Weight(1_000, 2.0))
    size_bytes = only("minio").object_size_bytes or 0
    assert size_bytes > 0
    bench.intake.receive([Record(TOPIC, 0, 1, b"k", fixture("minio"))])
    _measure(bench)
    assert _seconds(bench, "estimated") == pytest.approx(size_bytes * 2.0 / 1_000 + 8 * 2.0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b'{"uri": "s3://a/b", "audio_duration_seconds": 12.5}', 12.5),
        (b'{"audio_duration_seconds": 3}', 3.0),
        (b'{"metadata": {"audio_duration_seconds": "9"}}', 0.0),
        (b'{"audio_duration_seconds": -4}', 0.0),
        (b'{"audio_duration_seconds": "long"}', 0.0),
        (b'["audio_duration_seconds"]', 0.0),
        (b'{"audio_duration_seconds": ', 0.0),
        (None, 0.0),
    ],
)
def test_a_record_states_the_length_of_its_audio_at_the_top_of_its_value(
    value: bytes | None, seconds: float
) -> None:
    """References may, transcripts do; what callers write elsewhere, or wrongly, states nothing."""
    assert stated_audio(Record(TOPIC, 0, 0, None, value)).audio_seconds == seconds
