"""Windows, the way back to the original time, and cutting a window in two."""

import itertools

import numpy as np
import pytest

from models.media.speech.packing import EverySpan, WindowPacker
from models.media.speech.spans import CHUNK_SAMPLES, SpeechFinder
from models.media.speech.windows import SAMPLE_RATE_HERTZ, WINDOW_SAMPLES, Span, TimeMap, Window
from models.whisper.decode_unit import DecodeUnit, split
from models.whisper.rows import EncoderInput
from schemas.options import VadParameters

SECOND = SAMPLE_RATE_HERTZ
PADDING_SAMPLES = 400 * SECOND // 1000


class Spans:
    """A finder that knows its spans beforehand, and gives each once its audio is there."""

    def __init__(self, *spans: Span) -> None:
        self._spans = list(spans)
        self._length = 0

    @property
    def needed_from(self) -> int:
        """The next span's start."""
        return self._spans[0].start if self._spans else self._length

    def feed(self, block: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[Span]:
        """Return the spans that are complete now."""
        self._length += len(block)
        given = [span for span in self._spans if span.end <= self._length]
        del self._spans[: len(given)]
        return given

    def finish(self) -> list[Span]:
        """Nothing is left open."""
        return []


def test_a_time_in_a_window_is_found_in_the_span_that_holds_it() -> None:
    """What was left out between the spans counts."""
    times = TimeMap((Span(10 * SECOND, 12 * SECOND), Span(20 * SECOND, 25 * SECOND)))
    assert times.interval(0.0, 1.0) == (10.0, 11.0)
    assert times.interval(2.5, 3.0) == (20.5, 21.0)


def test_a_word_never_reaches_over_a_silence() -> None:
    """It ends with the span that holds its middle."""
    times = TimeMap((Span(10 * SECOND, 12 * SECOND), Span(20 * SECOND, 25 * SECOND)))
    assert times.interval(1.5, 2.2) == (11.5, 12.0)
    assert times.interval(1.9, 3.0) == (20.0, 21.0)


def test_times_beyond_the_window_stay_inside_the_audio() -> None:
    """Alignment sometimes points into the padding."""
    assert TimeMap((Span(0, SECOND),)).interval(2.0, 3.0) == (1.0, 1.0)


def test_spans_are_packed_in_order_until_thirty_seconds_are_full() -> None:
    """A span is never cut; what does not fit begins the next window."""
    spans = [Span(number * 12 * SECOND, number * 12 * SECOND + 11 * SECOND) for number in range(5)]
    packer = WindowPacker(Spans(*spans))
    audio = np.arange(60 * SECOND, dtype=np.float32)
    windows = [window for block in np.split(audio, 60) for window in packer.feed(block)]
    windows += packer.finish()
    assert [len(window.spans) for window in windows] == [2, 2, 1]
    assert [span for window in windows for span in window.spans] == spans
    for window in windows:
        assert window.samples <= WINDOW_SAMPLES
        heard = np.concatenate([audio[span.start : span.end] for span in window.spans])
        np.testing.assert_array_equal(window.audio(), heard)


def test_the_packer_forgets_what_no_span_needs() -> None:
    """An hour of silence costs no memory."""
    packer = WindowPacker(Spans())
    for _ in range(60):
        list(packer.feed(np.zeros(60 * SECOND, np.float32)))
    assert len(packer._held) == 0


@pytest.mark.parametrize("seconds", [0.5, 29.9, 30, 61])
def test_without_detection_windows_follow_each_other(seconds: float) -> None:
    """Every sample is in exactly one window."""
    finder = EverySpan()
    spans = finder.feed(np.zeros(int(seconds * SECOND), np.float32)) + finder.finish()
    assert spans[0].start == 0
    assert spans[-1].end == int(seconds * SECOND)
    assert all(before.end == after.start for before, after in itertools.pairwise(spans))
    assert all(0 < span.samples <= WINDOW_SAMPLES for span in spans)


def chunks(seconds: float) -> int:
    """Chunks in so many seconds."""
    return int(seconds * SECOND / CHUNK_SAMPLES)


@pytest.mark.parametrize("block", [1, 7, 10_000])
def test_speech_is_padded_and_found_whatever_the_size_of_blocks(block: int) -> None:
    """Two utterances far apart, each with 0.4 s on either side."""
    heard = [0.0] * 100 + [0.9] * 50 + [0.0] * 200 + [0.9] * 50 + [0.0] * 100
    finder = SpeechFinder()
    spans = [span for at in range(0, len(heard), block) for span in finder.feed(heard[at : at + block])]
    spans += finder.finish(len(heard) * CHUNK_SAMPLES)
    first, second = 100 * CHUNK_SAMPLES, 350 * CHUNK_SAMPLES
    length = 50 * CHUNK_SAMPLES
    assert spans == [
        Span(first - PADDING_SAMPLES, first + length + PADDING_SAMPLES),
        Span(second - PADDING_SAMPLES, second + length + PADDING_SAMPLES),
    ]


def test_speech_without_a_pause_is_cut_to_fit_a_window() -> None:
    """Even padded, no span is longer than thirty seconds."""
    finder = SpeechFinder()
    spans = finder.feed([0.9] * chunks(100)) + finder.finish(chunks(100) * CHUNK_SAMPLES)
    assert len(spans) == 4
    assert all(span.samples <= WINDOW_SAMPLES for span in spans)


def test_speech_that_is_too_short_is_left_out_and_gives_no_padding() -> None:
    """The span before it keeps all of its own."""
    finder = SpeechFinder(VadParameters(min_speech_duration_ms=500))
    heard = [0.9] * 50 + [0.0] * 20 + [0.9] * 5 + [0.0] * 100
    spans = finder.feed(heard) + finder.finish(len(heard) * CHUNK_SAMPLES)
    assert spans == [Span(0, 50 * CHUNK_SAMPLES + PADDING_SAMPLES)]


def test_a_silence_that_goes_on_frees_what_came_before_it() -> None:
    """Audio is not held without speech."""
    finder = SpeechFinder()
    finder.feed([0.9] * 50)
    assert finder.needed_from == 0
    finder.feed([0.0] * chunks(60))
    assert finder.needed_from >= (50 + chunks(60)) * CHUNK_SAMPLES - PADDING_SAMPLES


def unit(*spans: Span) -> DecodeUnit:
    """Make a window of the spans; its features count up frame by frame."""
    frames = sum(span.samples for span in spans) // 160
    window = Window(channel=None, spans=spans, frames=frames, offset_bytes=0)
    features = np.arange(frames, dtype=np.float32)[np.newaxis]
    return DecodeUnit(window, EncoderInput(lambda: features, window.duration_seconds))


def test_a_window_is_cut_between_spans_near_its_middle() -> None:
    """No word is cut, and both halves know where they were."""
    spans = (Span(0, 12 * SECOND), Span(20 * SECOND, 24 * SECOND), Span(40 * SECOND, 52 * SECOND))
    first, second = split(unit(*spans))
    assert first.window.spans == spans[:1]
    assert second.window.spans == spans[1:]
    assert second.encoder_input.read()[0, 0] == first.window.frames == 1_200
    assert second.window.frames == 1_600


def test_a_window_of_one_span_is_cut_in_the_middle() -> None:
    """There is no better place."""
    first, second = split(unit(Span(SECOND, 29 * SECOND)))
    assert first.window.spans == (Span(SECOND, 15 * SECOND),)
    assert second.window.spans == (Span(15 * SECOND, 29 * SECOND),)
    assert first.window.frames == second.window.frames == 1_400
