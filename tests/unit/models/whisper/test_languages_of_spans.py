"""Which language each span of speech is in, when a file may change it."""

from itertools import pairwise

import pytest

from models.whisper.languages.each_span import (
    EXPECTED_SECONDS,
    HeardSpan,
    LanguageHistory,
    decide_languages,
    likely_changes,
)
from models.whisper.languages.one import among


def heard(seconds: float, **probabilities: float) -> HeardSpan:
    """Return a span of which detection says this; the rest is shared by two further languages."""
    rest = (1 - sum(probabilities.values())) / 2
    found = {"la": rest, "nn": rest, "en": 1e-4, "ko": 1e-4, "ja": 1e-4} | probabilities
    return HeardSpan(seconds, tuple(sorted(found.items(), key=lambda each: -each[1])))


KOREAN = heard(8, ko=0.98)
ENGLISH = heard(6, en=0.97)
JAPANESE = heard(5, ja=0.96)
KOREAN_FILE = LanguageHistory({"ko": 60.0}, "ko")


def test_clear_speech_has_the_language_that_was_detected() -> None:
    """From the first span on, whatever came before."""
    assert decide_languages([KOREAN], LanguageHistory()) == ("ko",)
    assert decide_languages([ENGLISH], KOREAN_FILE) == ("en",)
    assert decide_languages([KOREAN, ENGLISH, KOREAN, JAPANESE], LanguageHistory()) == ("ko", "en", "ko", "ja")


@pytest.mark.parametrize("word", [heard(0.6, en=0.7), heard(1.0, en=0.45, ko=0.05), heard(0.4, en=0.9)])
def test_a_short_word_does_not_change_the_language_of_a_file(word: HeardSpan) -> None:
    """An "OK" within Korean, after it, and before it."""
    assert decide_languages([word], KOREAN_FILE) == ("ko",)
    assert decide_languages([KOREAN, word, KOREAN], LanguageHistory()) == ("ko", "ko", "ko")
    assert decide_languages([word, KOREAN], LanguageHistory())[1] == "ko"
    assert likely_changes([KOREAN, word, KOREAN]) == ()


def test_a_word_in_a_language_that_the_file_has_had_changes_it_sooner() -> None:
    """A file in two languages has both of them again."""
    word = heard(1.5, en=0.9, ko=0.02)
    assert decide_languages([word], LanguageHistory({"ko": 60.0}, "ko")) == ("ko",)
    assert decide_languages([word], LanguageHistory({"ko": 60.0, "en": 60.0}, "ko")) == ("en",)


def test_the_language_that_the_caller_expects_wins_where_detection_is_unsure() -> None:
    """And loses where it is sure."""
    expected = LanguageHistory({"ko": EXPECTED_SECONDS}, "ko")
    unsure = heard(3, ja=0.5, ko=0.2)
    assert decide_languages([unsure], LanguageHistory()) == ("ja",)
    assert decide_languages([unsure], expected) == ("ko",)
    assert decide_languages([ENGLISH], expected) == ("en",)


def test_a_window_is_cut_where_the_language_is_likely_to_change() -> None:
    """Not within a language, and not around a word that could be any."""
    assert likely_changes([KOREAN, KOREAN, ENGLISH, ENGLISH, JAPANESE]) == (2, 4)
    assert likely_changes([ENGLISH]) == ()
    assert likely_changes([]) == ()
    assert likely_changes([ENGLISH, heard(0.8), ENGLISH, heard(0.8, ja=0.4), ENGLISH]) == ()


def test_the_history_adds_up_the_seconds_of_each_language() -> None:
    """The last language is that of the last span."""
    history = LanguageHistory().extended([KOREAN, ENGLISH, KOREAN], ("ko", "en", "ko"))
    assert history == LanguageHistory({"ko": 16.0, "en": 6.0}, "ko")
    assert history.extended([], ()) == history


def test_decisions_are_repeatable() -> None:
    """Whatever the order in which a model lists languages of equal probability."""
    even = HeardSpan(5.0, (("ko", 0.5), ("en", 0.5)))
    turned = HeardSpan(5.0, tuple(reversed(even.languages)))
    assert decide_languages([even], LanguageHistory()) == decide_languages([turned], LanguageHistory())


def test_candidates_share_what_the_others_had() -> None:
    """In the order of their probabilities; a candidate without any probability stays one."""
    found = (("en", 0.6), ("ko", 0.3), ("ja", 0.1), ("la", 0.0))
    assert among((), found) == found
    kept = among(("ja", "ko"), found)
    assert [code for code, _ in kept] == ["ko", "ja"]
    assert [probability for _, probability in kept] == pytest.approx([0.75, 0.25])
    assert among(("la",), found) == (("la", 1.0),)
    assert all(before[1] >= after[1] for before, after in pairwise(kept))
