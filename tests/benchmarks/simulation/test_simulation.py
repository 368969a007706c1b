"""A slice of the simulation: nothing is lost or heard twice, and times add up."""

from contextlib import closing

import pytest

from models.media.messages import ContainerOpened, DecodeFinished, ReplyParser, WindowReady
from models.media.speech.windows import WINDOW_FRAMES
from tests.benchmarks.simulation.costs import MEL_BANDS, TYPICAL_TOKENS, Costs
from tests.benchmarks.simulation.device import Timeline
from tests.benchmarks.simulation.load import recordings
from tests.benchmarks.simulation.model import Speech
from tests.benchmarks.simulation.run import Configuration, Simulation, settings_of

RECORDINGS = 16


@pytest.mark.parametrize("retried", [0.0, 0.3])
def test_every_window_comes_out_once(retried: float) -> None:
    """Whatever is batched, prepared ahead or searched again, each recording ends with all of its windows."""
    chosen = Configuration(
        "mixed", rows=16, workers=16, decoder_processes=4, job_seconds=0.001, speech=Speech(retried=retried)
    )
    load = recordings("mixed", count=RECORDINGS)
    windows = sum(len(each.windows) for each in load)
    with settings_of(chosen), closing(Simulation(chosen, iter(load))) as simulation:
        simulation.workers.join()
        tally = simulation.workers.tally
        busy = simulation.device.busy_seconds()
        _, rows, _ = simulation.batches.snapshot()
    assert (tally.recordings, tally.windows) == (RECORDINGS, windows)
    assert sum(seconds for _, seconds in simulation.model.heard) == pytest.approx(
        sum(each.seconds for each in load)
    )
    assert rows == windows if not retried else rows > windows
    assert 0 < busy <= simulation.lived_seconds


def test_concurrent_kernels_share_the_device_and_add_up() -> None:
    """Two calls take as long together as one after the other, and the shorter one ends first."""
    timeline = Timeline(0.0)
    long = timeline.add(3.0, 0.0)
    assert timeline.seconds_until_end(long, 1.0) == 2.0
    short = timeline.add(1.0, 1.0)
    assert timeline.seconds_until_end(long, 1.0) == 3.0
    assert timeline.seconds_until_end(short, 1.0) == 2.0
    timeline.advance(3.0)
    assert timeline.running == [long]
    timeline.advance(10.0)
    assert timeline.running == []
    assert timeline.busy_seconds == 4.0


def test_batches_cost_what_the_facts_say() -> None:
    """16, 32 and 64 windows of 90 tokens take the GPU 290, 440 and 740 ms, and the host 24 to 96 ms after it."""
    costs = Costs()
    for rows, seconds, after in ((16, 0.290, 0.024), (32, 0.440, 0.048), (64, 0.740, 0.096)):
        tokens = [TYPICAL_TOKENS] * rows
        assert costs.encode(rows) + costs.decode(tokens) + costs.align(tokens) == pytest.approx(seconds)
        assert costs.time_warping(tokens, [WINDOW_FRAMES] * rows) == pytest.approx(after)


@pytest.mark.parametrize(("load", "seconds"), [("mixed", (80, 120)), ("short", (7.5, 9.5))])
def test_loads_hold_recordings_of_their_kind(load: str, seconds: tuple[float, float]) -> None:
    """The mean length is that of the shares: 0.6 x 8.5 s, 0.3 x 2 min and 0.1 x 10 min; or of clips alone."""
    lengths = [each.seconds for each in recordings(load)]
    assert seconds[0] < sum(lengths) / len(lengths) < seconds[1]


def test_messages_describe_the_recording_that_is_heard() -> None:
    """Windows lie one behind the other in the audio and in the spool, and the end comes last."""
    for recording in recordings("mixed", count=10):
        parser = ReplyParser()
        events = [event for _, reply in recording.replies for event in parser.feed(reply)]
        windows = [event.window() for event in events if isinstance(event, WindowReady)]
        assert [each.duration_seconds for each in windows] == pytest.approx(recording.windows)
        assert [each.start_seconds for each in windows[1:]] == [each.end_seconds for each in windows[:-1]]
        last = windows[-1]
        assert last.offset_bytes + last.frames * MEL_BANDS * 4 == recording.spool_bytes
        assert isinstance(events[0], ContainerOpened)
        assert isinstance(events[-1], DecodeFinished)
