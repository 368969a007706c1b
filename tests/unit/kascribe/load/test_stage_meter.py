"""What the engine, the decoders and jobs report becomes metrics."""

import pytest
from prometheus_client import CollectorRegistry

from consumers.metrics import Metrics
from kascribe.metering.engine import ENGINE_METRICS, StageMeter
from tests.support.clock import HandClock


@pytest.fixture
def clock() -> HandClock:
    """Return a clock that stands still."""
    return HandClock()


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return the registry of the metrics."""
    return CollectorRegistry()


@pytest.fixture
def meter(registry: CollectorRegistry, clock: HandClock) -> StageMeter:
    """Return a meter of four decoders."""
    return StageMeter(Metrics(registry, ENGINE_METRICS), decoder_processes=4, clock=clock)


def test_a_call_of_the_model_is_a_batch_and_a_busy_time(
    meter: StageMeter, registry: CollectorRegistry, clock: HandClock
) -> None:
    """Rows by replica, the wait of its rows, its time, and the share of time that it takes."""
    clock.seconds = 4.0
    meter.on_batch(replica=1, rows=32, queued_seconds=0.5, seconds=3.0)
    assert registry.get_sample_value("kascribe_engine_busy_ratio") == pytest.approx(0.75)
    assert registry.get_sample_value("kascribe_engine_batch_windows_sum", {"replica": "1"}) == 32
    assert registry.get_sample_value("kascribe_engine_batch_windows_count", {"replica": "1"}) == 1
    assert _seconds(registry, "queue", "model") == 0.5
    assert _seconds(registry, "service", "model") == 3.0


def test_the_decoder_for_interactive_records_is_not_counted_among_the_others(
    meter: StageMeter, registry: CollectorRegistry, clock: HandClock
) -> None:
    """It is idle most of the time by design; its files count with their times all the same."""
    meter.on_file_begin(queued_seconds=2.0, reserved=False)
    clock.seconds = 10.0
    assert registry.get_sample_value("kascribe_decoders_busy_ratio") == pytest.approx(0.25)
    meter.on_file_end(seconds=10.0, reserved=False)
    meter.on_file_begin(queued_seconds=0.0, reserved=True)
    clock.seconds = 20.0
    meter.on_file_end(seconds=10.0, reserved=True)
    assert registry.get_sample_value("kascribe_decoders_busy_ratio") == pytest.approx(0.125)
    assert _seconds(registry, "queue", "decode") == 2.0
    assert _seconds(registry, "service", "decode") == 20.0


def test_a_record_without_a_time_has_no_wait(meter: StageMeter, registry: CollectorRegistry) -> None:
    """Its fetch counts; a wait of zero would be made up."""
    meter.on_fetched(queued_seconds=None, seconds=1.0)
    waits = "kascribe_transcription_queue_seconds_count"
    assert registry.get_sample_value(waits, {"stage": "fetch"}) == 0
    meter.on_fetched(queued_seconds=7.0, seconds=1.0)
    meter.on_stored(seconds=0.25)
    assert _seconds(registry, "queue", "fetch") == 7.0
    assert _seconds(registry, "service", "fetch") == 2.0
    assert _seconds(registry, "service", "store") == 0.25


def _seconds(registry: CollectorRegistry, kind: str, stage: str) -> float | None:
    return registry.get_sample_value(f"kascribe_transcription_{kind}_seconds_sum", {"stage": stage})
