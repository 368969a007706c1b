"""A window that is too dense is cut in two where it can best be cut; no sample is lost or heard twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.media.speech.windows import FRAME_SAMPLES, SAMPLE_RATE_HERTZ, Span, Window
from models.whisper.decode_unit import SPLITTABLE_FRAMES, DecodeUnit, split
from models.whisper.rows import EncoderInput
from models.whisper.text.segments import WindowResult

SECOND = SAMPLE_RATE_HERTZ


def unit(*spans: tuple[float, float], splits: int = 0) -> DecodeUnit:
    """Return a unit of spans in seconds; its features are the numbers of its frames."""
    held = tuple(Span(round(start * SECOND), round(end * SECOND)) for start, end in spans)
    frames = sum(span.samples for span in held) // FRAME_SAMPLES
    window = Window(channel=1, spans=held, frames=frames, offset_bytes=7)
    features = np.arange(frames, dtype=np.float32)[np.newaxis]
    return DecodeUnit(window, EncoderInput(lambda: features, window.duration_seconds), splits=splits)


def seconds(piece: DecodeUnit) -> list[tuple[float, float]]:
    """Its spans."""
    return [(span.start / SECOND, span.end / SECOND) for span in piece.window.spans]


def test_a_window_of_one_span_is_cut_in_the_middle() -> None:
    """There is no better place."""
    first, second = split(unit((10, 30)))
    assert (seconds(first), seconds(second)) == ([(10, 20)], [(20, 30)])
    assert (first.window.frames, second.window.frames) == (1_000, 1_000)
    assert (first.encoder_input.duration_seconds, second.encoder_input.duration_seconds) == (10, 10)
    assert (first.window.channel, first.splits, second.splits) == (1, 1, 1)


def test_a_pause_in_the_middle_third_is_where_it_is_cut() -> None:
    """The one nearest to the middle, so that no word is cut in two."""
    first, second = split(unit((0, 8), (20, 24), (40, 48), (60, 70)))
    assert (seconds(first), seconds(second)) == ([(0, 8), (20, 24)], [(40, 48), (60, 70)])


@pytest.mark.parametrize(
    ("first_seconds", "cut_seconds"), [(10, 10), (9.9, 15), (20, 20), (20.1, 15), (1, 15), (29, 15)]
)
def test_a_pause_near_an_end_is_no_place_to_cut(first_seconds: float, cut_seconds: float) -> None:
    """One half would hold nearly all of it."""
    first, _ = split(unit((0, first_seconds), (100, 130 - first_seconds)))
    assert first.window.duration_seconds == pytest.approx(cut_seconds)


def test_each_half_hears_its_own_frames() -> None:
    """In order, and the pieces of pieces as well."""
    whole = unit((0, 8), (20, 32))
    first, second = split(whole)
    quarters = [*split(second)]
    heard = [piece.encoder_input.read()[0] for piece in (first, *quarters)]
    np.testing.assert_array_equal(np.concatenate(heard), np.arange(2_000))
    assert [len(frames) for frames in heard] == [800, 600, 600]


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0.3, 9)), min_size=1, max_size=8).filter(
        lambda spans: 9 <= sum(length for _, length in spans) <= 30
    )
)
def test_no_sample_is_lost_or_heard_twice(spans: list[tuple[float, float]]) -> None:
    """Whatever the spans, the halves' are theirs, cut once at most."""
    edges, at = [], 0.0
    for pause, length in spans:
        edges.append((at + pause, at + pause + length))
        at += pause + length
    whole = unit(*edges)
    first, second = split(whole)
    samples = [
        number for piece in (first, second) for span in piece.window.spans for number in (span.start, span.end)
    ]
    assert samples == sorted(samples)
    assert sum(span.samples for piece in (first, second) for span in piece.window.spans) == sum(
        span.samples for span in whole.window.spans
    )
    assert first.window.frames + second.window.frames == whole.window.frames
    assert min(first.window.frames, second.window.frames) >= whole.window.frames // 3 - 1


def test_a_part_is_split_while_that_makes_room() -> None:
    """Twice at most, and nothing short: eight seconds never fill the token limit."""
    long = SPLITTABLE_FRAMES * FRAME_SAMPLES / SECOND
    assert unit((0, long + 1)).is_splittable
    assert not unit((0, long)).is_splittable
    assert unit((0, long + 1), splits=1).is_splittable
    assert not unit((0, long + 1), splits=2).is_splittable


def test_a_part_is_done_when_all_its_pieces_are() -> None:
    """Its leaves are in the order of time."""
    whole = unit((0, 20))
    assert not whole.is_done
    assert list(whole.leaves()) == [whole]
    first, second = whole.pieces = split(whole)
    second.pieces = split(second)
    leaves = [first, *second.pieces]
    assert list(whole.leaves()) == leaves
    for leaf in leaves:
        assert not whole.is_done
        leaf.result = WindowResult(leaf.window, None)
    assert whole.is_done


def test_a_span_that_ends_within_a_frame_brings_no_sample_of_the_next_one() -> None:
    """The frame that both share belongs to the second half, so the first ends with its span or before."""
    spans = (Span(0, 1_000 * FRAME_SAMPLES - 1), Span(40 * SECOND, 50 * SECOND + 1))
    window = Window(channel=None, spans=spans, frames=2_000, offset_bytes=0)
    features = np.zeros((1, 2_000), np.float32)
    first, second = split(DecodeUnit(window, EncoderInput(lambda: features, window.duration_seconds)))
    assert first.window.spans == (Span(0, 999 * FRAME_SAMPLES),)
    assert second.window.spans == (Span(999 * FRAME_SAMPLES, 1_000 * FRAME_SAMPLES - 1), spans[1])
