"""The figures of ``kascribe bench``: from what was observed to a table, a plot and one sentence."""

from xml.etree import ElementTree as ET

import pytest
from rich.cells import cell_len

from kascribe.commands.benchmarking.figures import (
    BenchRow,
    Call,
    Capacity,
    LatencyRow,
    Observed,
    Shares,
    Transcribed,
    bottleneck,
    latency_row,
    percentile,
    shares,
)
from kascribe.commands.benchmarking.plot import STEPS, busy_over_time, svg
from kascribe.commands.benchmarking.recorder import Recorder, memory_peak_bytes
from kascribe.commands.benchmarking.table import lines_of
from tests.support.clock import HandClock

CAPACITY = Capacity(replicas=2, decoders=2, files_at_once=4, files_given=100)
ROW = BenchRow(
    system="kascribe",
    model="large-v3 <turbo>",
    device="cuda",
    compute_type="float16",
    files=120,
    audio_seconds=36_000.0,
    wall_seconds=30.0,
    times_real_time=1_200.0,
    engine_busy=0.971,
    decoders_busy=0.4,
    rows_per_batch=28.5,
    queued_seconds=0.31,
    memory_peak_bytes=1_500_000_000,
    latencies=(LatencyRow(lane="interactive beside bulk", files=10, p50_seconds=0.4, p95_seconds=0.9),),
    bottleneck="The engine is the bottleneck: it was busy 97% of the time; only a faster device helps.",
)
PEER = BenchRow(
    system="faster-whisper",
    model="large-v3 <turbo>",
    device="cuda",
    compute_type="float16",
    files=9,
    audio_seconds=300.0,
    wall_seconds=3.0,
    times_real_time=100.0,
)


def observed(*calls: Call, decoder_seconds: float = 0.0) -> Observed:
    """Return ten seconds with these calls."""
    return Observed(100.0, 110.0, calls, decoder_seconds, ())


def test_shares_are_of_all_that_could_work() -> None:
    """Two calls of five seconds on two replicas are half of ten seconds; waits are weighed by rows."""
    found = shares(observed(Call(106.0, 3, 1.0, 5.0), Call(110.0, 1, 2.0, 5.0), decoder_seconds=4.0), CAPACITY)
    assert found == Shares(engine=0.5, decoders=0.2, rows_per_batch=2.0, queued_seconds=1.25)


def test_a_call_that_began_before_counts_from_the_start() -> None:
    """It would make the engine busier than it was."""
    assert shares(observed(Call(102.0, 1, 0.0, 50.0)), CAPACITY).engine == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("busy", "capacity", "beginning"),
    [
        (Shares(0.95, 0.99, 1, 0), CAPACITY, "The engine is the bottleneck"),
        (Shares(0.4, 0.95, 1, 0), CAPACITY, "The decoders are the bottleneck"),
        (Shares(0.4, 0.1, 1, 0), Capacity(2, 2, files_at_once=4, files_given=1), "Too few files: 1 at once"),
        (Shares(0.4, 0.5, 1, 0), CAPACITY, "Neither is full, the decoders first"),
    ],
)
def test_one_sentence_names_the_bottleneck(busy: Shares, capacity: Capacity, beginning: str) -> None:
    """The first stage that is full; else too few files."""
    assert bottleneck(busy, capacity).startswith(beginning)


def test_a_percentile_is_one_of_the_values() -> None:
    """The smallest that at least this share of them does not exceed."""
    assert [percentile([4.0, 1.0, 3.0, 2.0], share) for share in (0.5, 0.95)] == [2.0, 4.0]
    row = latency_row("bulk", [Transcribed(5.0, 0.25), Transcribed(5.0, 0.5)])
    assert (row.files, row.p50_seconds, row.p95_seconds) == (2, 0.25, 0.5)


def test_the_table_fits_80_columns() -> None:
    """With the ratio to the other system, and the bottleneck."""
    lines = list(lines_of([ROW, PEER]))
    assert [line for line in lines if cell_len(line) > 80] == []
    text = "\n".join(lines)
    assert "Kascribe is 12.0 times as fast as faster-whisper" in text
    assert "The engine is the bottleneck" in text


def test_the_plot_is_an_image_with_every_figure() -> None:
    """Well-formed, whatever the model is called."""
    root = ET.fromstring(svg([ROW, PEER], observed(Call(110.0, 1, 0.0, 10.0)), replicas=1))
    texts = "".join(root.itertext())
    for expected in ("large-v3 <turbo>", "1200.0", "100.0", "interactive beside bulk", "0.90"):
        assert expected in texts


def test_the_busy_share_over_time_shows_gaps() -> None:
    """One call of the second half, on one of two replicas."""
    found = busy_over_time(observed(Call(110.0, 1, 0.0, 5.0)), replicas=2)
    assert len(found) == STEPS
    assert found[: STEPS // 2] == [0.0] * (STEPS // 2)
    assert found[STEPS // 2 :] == pytest.approx([0.5] * (STEPS // 2))


def test_the_recorder_forgets_what_came_before_the_start() -> None:
    """And counts no decoder that serves the interactive lane alone."""
    clock = HandClock()
    recorder = Recorder(clock)
    recorder.on_batch(replica=0, rows=1, queued_seconds=0.0, seconds=1.0)
    recorder.start()
    recorder.on_file_end(seconds=2.0, reserved=False)
    recorder.on_file_end(seconds=3.0, reserved=True)
    recorder.add(Transcribed(5.0, 0.5))
    found = recorder.observed()
    assert (found.calls, found.decoder_seconds, len(found.files)) == ((), 2.0, 1)


def test_after_its_end_the_recorder_takes_only_calls_that_began_before() -> None:
    """Of such a call the part before the end counts, and so do decoders that were not done."""
    clock = HandClock()
    recorder = Recorder(clock)
    recorder.start()
    for reserved in (False, True):
        recorder.on_file_begin(queued_seconds=0.0, reserved=reserved)
    clock.seconds = 10.0
    recorder.add(Transcribed(5.0, 0.5))
    recorder.end(unfinished_audio_seconds=7.0)
    clock.seconds = 14.0
    recorder.on_batch(replica=0, rows=4, queued_seconds=0.0, seconds=9.0)
    recorder.on_batch(replica=1, rows=1, queued_seconds=0.0, seconds=4.0)
    recorder.on_file_end(seconds=14.0, reserved=False)
    recorder.add(Transcribed(5.0, 0.5))
    found = recorder.observed()
    assert (found.wall_seconds, found.audio_seconds, found.decoder_seconds) == (10.0, 12.0, 10.0)
    assert shares(found, CAPACITY) == Shares(engine=0.25, decoders=0.5, rows_per_batch=4.0, queued_seconds=0.0)


def test_memory_is_that_of_the_process() -> None:
    """Some megabytes at least, where the system tells it."""
    assert (memory_peak_bytes() or 10**9) > 10**6
