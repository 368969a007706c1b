"""Words are placed where their sound is: beside pauses, and across the joint of two spans."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.media.speech.windows import SAMPLE_RATE_HERTZ, Span, TimeMap
from models.whisper.rows import Alignment
from models.whisper.text.loudness import SOUND_FRAMES, LoudFrames, loud_frames
from models.whisper.text.words import time_words

SECOND = SAMPLE_RATE_HERTZ
JOINED = TimeMap((Span(10 * SECOND, 12 * SECOND), Span(20 * SECOND, 22 * SECOND)))
"""Two seconds, a joint, and two seconds more."""


def sound(*parts: tuple[float, float]) -> LoudFrames:
    """Return four seconds of frames that are loud between these times."""
    loud = np.zeros(400, np.bool_)
    for start, end in parts:
        loud[round(start * 100) : round(end * 100)] = True
    return loud


def placed(loud: LoudFrames | None) -> tuple[float, float]:
    """Return the original time of a word that lies at 1.2 to 2.5 s of the window, after another one."""
    found = time_words([(" one", 1), (" two", 1)], Alignment((0.5, 1.2, 2.5), (0.9, 0.9)), JOINED, loud=loud)
    return found[1].start_seconds, found[1].end_seconds


@pytest.mark.parametrize(
    ("loud", "times"),
    [
        (sound((0.5, 1.1), (2.1, 2.5)), (20.0, 20.5)),  # it begins in the silence at the end of the first span
        (sound((0.5, 1.5), (2.2, 2.5)), (20.0, 20.5)),  # and even in the word before
        (sound((1.2, 1.9)), (11.2, 12.0)),
        (sound((1.2, 1.9), (2.45, 2.5)), (11.2, 12.0)),  # what is loud at its end is the next word
        (sound(), (11.2, 12.0)),
        (None, (11.2, 12.0)),
    ],
)
def test_a_word_across_a_joint_is_in_the_span_that_holds_its_sound(
    loud: LoudFrames | None, times: tuple[float, float]
) -> None:
    """In the last one with sound; where all is quiet, in the one with its middle."""
    assert placed(loud) == pytest.approx(times)


SENTENCE = [(" one", 1), (" two", 1), (" extraordinarily.", 1), (" Four", 1), (" five", 1)]
WHOLE = TimeMap((Span(0, 8 * SECOND),))


def long_words(loud: LoudFrames) -> list[tuple[float, float]]:
    """Return the times of the words before and after the end of a sentence: two seconds each by the alignment."""
    alignment = Alignment((0.0, 0.5, 1.0, 3.0, 5.0, 5.5), (0.9,) * 5)
    found = time_words(SENTENCE, alignment, WHOLE, loud=np.pad(loud, (0, 400)))
    return [(round(word.start_seconds, 3), round(word.end_seconds, 3)) for word in found[2:4]]


def test_only_pauses_are_cut_from_long_words_beside_the_end_of_a_sentence() -> None:
    """A word that sounds for two seconds keeps them; where it stops or begins, its time does."""
    assert long_words(sound((0.0, 4.0))) == [(1.0, 3.0), (3.0, 5.0)]
    assert long_words(sound((0.0, 2.4))) == [(1.0, 2.4), (4.0, 5.0)]
    assert long_words(sound((0.0, 1.2), (3.6, 4.0))) == [(1.0, 2.0), (3.6, 5.0)]


def test_a_short_silence_within_a_word_is_no_pause() -> None:
    """A tenth of a second, as before a plosive."""
    assert long_words(sound((0.0, 2.1), (2.2, 4.0))) == [(1.0, 3.0), (3.0, 5.0)]


def test_loud_frames_are_nearer_to_speech_than_to_the_silence_of_their_window() -> None:
    """In a noisy recording as in a quiet one."""
    for quiet in (-1.0, 0.3):
        features = np.full((80, 100), quiet, np.float32)
        features[:, 40:70] = 0.9
        assert np.flatnonzero(loud_frames(features)).tolist() == list(range(40, 70))


@given(
    st.lists(st.integers(0, 200), min_size=13, max_size=13).map(sorted),
    st.lists(st.booleans(), min_size=400, max_size=400),
)
def test_words_stay_in_order_and_keep_a_length_wherever_the_sound_is(steps: list[int], loud: list[bool]) -> None:
    """Placing a word never moves it over its neighbours."""
    alignment = Alignment(tuple(step * 0.02 for step in steps), (0.5,) * 12)
    found = time_words([(" go", 1)] * 12, alignment, JOINED, loud=np.array(loud))
    assert all(word.start_seconds < word.end_seconds for word in found)
    assert all(a.end_seconds <= b.start_seconds + 1e-9 for a, b in itertools.pairwise(found))


def test_what_counts_as_sound_is_shorter_than_any_syllable() -> None:
    """Sixty milliseconds."""
    assert placed(sound((1.2, 1.9), (2.5 - SOUND_FRAMES / 100, 2.5))) == pytest.approx((20.0, 20.5))
