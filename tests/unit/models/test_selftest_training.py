"""What the self-test model learns from is what its documentation says."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from models.selftest.composition import Composer, noise
from models.selftest.corpus import OTHER_SPEECH, Corpus
from models.selftest.evaluate import errors, word_error_rate
from models.selftest.synthesis import HELD_OUT_VARIANTS, TRAINING_VARIANTS, TRAINING_VOICES, resample, trim
from models.selftest.tokens import USED_TOKENS, merges, text_vocabulary
from models.selftest.vocabulary import SAMPLING_RATE_HZ, VOCABULARY, special_tokens, timestamp_token


@pytest.fixture
def corpus() -> Corpus:
    """Ten clips of half a second of a tone, one of them outside the vocabulary."""
    clip = (np.sin(np.arange(8_000) / 5) * 20_000).astype(np.int16)
    languages = ("en", "ko") * 5
    words = tuple((VOCABULARY[language][index],) if index else () for index, language in enumerate(languages))
    return Corpus(languages, words, np.arange(11) * len(clip), np.tile(clip, 10))


def test_no_held_out_variant_is_trained_on() -> None:
    """The figures are about speakers that the model never heard."""
    assert not {name.lower() for name in HELD_OUT_VARIANTS} & {name.lower() for name in TRAINING_VARIANTS}
    assert "en-gb-x-rp" not in TRAINING_VOICES["en"]


def test_other_speech_holds_no_word_of_the_vocabulary() -> None:
    """What must be passed over in silence is never something the model should write."""
    words = {word for listed in VOCABULARY.values() for word in listed}
    assert not words & {word for phrases in OTHER_SPEECH.values() for phrase in phrases for word in phrase.split()}


def test_a_composed_window_holds_its_segments_in_order(corpus: Corpus) -> None:
    """Segments lie inside the window, in order, at least half a second apart, and are of one language."""
    composer = Composer(corpus, seed=3)
    windows = [composer.window(8.0) for _window in range(60)]
    assert all(window.samples.shape == (8 * SAMPLING_RATE_HZ,) for window in windows)
    assert all(set(window.words) <= set(VOCABULARY[window.language]) for window in windows)
    for window in windows:
        edges = [edge for segment in window.segments for edge in (segment.start_seconds, segment.end_seconds)]
        assert edges == sorted(edges)
        assert all(0 <= edge <= 8.0 for edge in edges)
        gaps = [after.start_seconds - before.end_seconds for before, after in pairwise(window.segments)]
        assert all(gap > 0.5 for gap in gaps)


def test_some_windows_have_no_speech(corpus: Corpus) -> None:
    """A model that only ever hears words hears words everywhere."""
    composer = Composer(corpus, seed=4)
    silent = sum(not composer.window(2.0).segments for _window in range(300))
    assert 0.10 < silent / 300 < 0.30


def test_noise_has_unit_power() -> None:
    """Signal-to-noise ratios are set by scaling it."""
    assert np.mean(noise(32_000, np.random.default_rng(1)) ** 2) == pytest.approx(1.0, rel=1e-3)


def test_resampling_keeps_the_tone_and_the_duration() -> None:
    """One second at 22,050 Hz is one second at 16 kHz, and 440 Hz stay 440 Hz."""
    tone = np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050).astype(np.float32)
    resampled = resample(tone, 22_050, 16_000)
    assert len(resampled) == 16_000
    assert np.abs(np.fft.rfft(resampled)).argmax() == 440


def test_trimming_leaves_silence_empty() -> None:
    """Text that espeak-ng cannot say makes no clip."""
    assert len(trim(np.zeros(1_000, np.float32))) == 0


@pytest.mark.parametrize(
    ("said", "heard", "count"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a c", 1),
        ("a b", "a x b", 1),
        ("a b", "c d", 2),
        ("", "a", 1),
        ("a", "", 1),
    ],
)
def test_errors_are_insertions_deletions_and_replacements(said: str, heard: str, count: int) -> None:
    """The Levenshtein distance in words."""
    assert errors(said.split(), heard.split()) == count


def test_the_error_rate_is_per_word_said() -> None:
    """Long utterances weigh more than short ones."""
    assert word_error_rate([(["a", "b", "c"], ["a"]), (["d"], ["d"])]) == 0.5


def test_tokens_are_laid_out_like_whisper() -> None:
    """Text below 50,257, and 1,608 special tokens from there on; those in use are all different."""
    assert len(special_tokens()) == 51_865 - 50_257
    assert len(set(USED_TOKENS)) == len(USED_TOKENS)
    assert len(text_vocabulary()) == 256 + len(merges())
    assert timestamp_token(30.5) == 51_864


@pytest.mark.parametrize("module", ["selftest", "selftest.convert", "selftest.evaluate", "selftest.record"])
def test_only_training_needs_torch(module: str) -> None:
    """An installation without torch can use, convert, evaluate and record."""
    check = f"import sys; import models.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
