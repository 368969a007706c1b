"""Options that a model cannot serve are refused before anything is decoded."""

import pytest

from models.whisper.options.capabilities import Capabilities
from schemas.errors import InvalidOptions
from schemas.options import Task, TranscribeOptions
from schemas.transcripts.languages import LANGUAGES

EVERY_LANGUAGE = frozenset(LANGUAGES)


@pytest.mark.parametrize("name", ["large-v3-turbo", "turbo", "distil-large-v3"])
def test_models_that_were_not_trained_to_translate_refuse_to(name: str) -> None:
    """They would answer in the language spoken, silently."""
    capabilities = Capabilities.of(name, multilingual=True, languages=EVERY_LANGUAGE, translates=None)
    with pytest.raises(InvalidOptions, match="cannot translate"):
        capabilities.check(TranscribeOptions(task=Task.TRANSLATE))
    capabilities.check(TranscribeOptions(language="ko"))


def test_other_multilingual_models_translate() -> None:
    """A setting overrides the name."""
    Capabilities.of("large-v3", multilingual=True, languages=EVERY_LANGUAGE, translates=None).check(
        TranscribeOptions(task=Task.TRANSLATE)
    )
    told = Capabilities.of("my-turbo", multilingual=True, languages=EVERY_LANGUAGE, translates=True)
    told.check(TranscribeOptions(task=Task.TRANSLATE))


def test_an_english_model_refuses_korean_and_translation() -> None:
    """It would write English words that were not spoken."""
    english = Capabilities.of("small.en", multilingual=False, languages=frozenset({"en"}), translates=None)
    with pytest.raises(InvalidOptions, match="English only"):
        english.check(TranscribeOptions(language="ko"))
    with pytest.raises(InvalidOptions, match="cannot translate"):
        english.check(TranscribeOptions(task=Task.TRANSLATE))
    english.check(TranscribeOptions(language="en"))


def test_a_language_that_came_with_a_later_model_is_refused() -> None:
    """Cantonese has no token before large-v3."""
    older = Capabilities.of("large-v2", multilingual=True, languages=EVERY_LANGUAGE - {"yue"}, translates=None)
    with pytest.raises(InvalidOptions, match="yue"):
        older.check(TranscribeOptions(language="yue"))


def test_a_model_that_is_not_served_is_refused() -> None:
    """The message names the one that is."""
    served = Capabilities.of("large-v3", multilingual=True, languages=EVERY_LANGUAGE, translates=None)
    with pytest.raises(InvalidOptions, match="large-v3"):
        served.check(TranscribeOptions(model="small"))
    served.check(TranscribeOptions(model="large-v3"))


def test_a_model_answers_to_all_its_names_and_is_judged_by_them() -> None:
    """Even when it is mounted as a directory, requests use its usual name, and turbo stays turbo."""
    mounted = Capabilities.of(
        "asr",
        multilingual=True,
        languages=EVERY_LANGUAGE,
        translates=None,
        aliases=frozenset({"large-v3-turbo", "turbo"}),
    )
    for name in ("asr", "turbo", "large-v3-turbo"):
        mounted.check(TranscribeOptions(model=name))
    with pytest.raises(InvalidOptions, match="cannot translate"):
        mounted.check(TranscribeOptions(task=Task.TRANSLATE))
