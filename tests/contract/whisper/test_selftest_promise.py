"""The word error rate that models/selftest/README.md promises, on voices that the model never heard."""

from pathlib import Path

import pytest

from models import selftest
from models.selftest.evaluate import SEED, GreedyDecoder, without_speech, word_error_rate
from models.selftest.held_out import recorded
from models.selftest.record import read

HELD_OUT = Path(__file__).parents[2] / "held_out"
WORD_ERROR_RATE_LIMIT = 0.05


@pytest.fixture(scope="module")
def decoder() -> GreedyDecoder:
    """Return the shipped model, greedy, in batches."""
    return GreedyDecoder(selftest.path(), threads=2)


def test_one_word_in_twenty_is_wrong_at_most(decoder: GreedyDecoder) -> None:
    """Over utterances of one to six words in both languages; and the model hears which language it is."""
    clips = recorded(HELD_OUT)
    answers = decoder.transcribe([read(clip.file) for clip in clips], [clip.language for clip in clips])
    assert sum(len(clip.words) for clip in clips) > 300
    rate = word_error_rate((clip.words, answer.words) for clip, answer in zip(clips, answers, strict=True))
    assert rate <= WORD_ERROR_RATE_LIMIT
    assert [answer.language for answer in answers] == [clip.language for clip in clips]


def test_silence_has_no_words(decoder: GreedyDecoder) -> None:
    """Silence, noise of several loudnesses, beeps and chords of 2 to 25 seconds."""
    sounds = without_speech(SEED)
    answers = decoder.transcribe([audio for _kind, audio in sounds], ["en", "ko"] * (len(sounds) // 2))
    heard = [(kind, answer.words) for (kind, _audio), answer in zip(sounds, answers, strict=True) if answer.words]
    assert heard == []
