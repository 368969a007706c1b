"""The options about languages, and how they agree."""

import pytest
from pydantic import ValidationError

from schemas.options import TranscribeOptions, language_codes


def test_candidates_have_one_order() -> None:
    """Whatever order and repetitions the caller writes: equal sets are one job."""
    assert TranscribeOptions(languages=("ko", "en", "ko")).languages == ("en", "ko")
    assert TranscribeOptions(languages=()).languages is TranscribeOptions().languages is None


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("korean", "'korean' is not a Whisper language code: did you mean ko?"),
        ("auto", "'auto' is not a Whisper language code"),
        ("", "'' is not a Whisper language code"),
    ],
)
def test_a_candidate_is_a_language_code(code: str, told: str) -> None:
    """Refused with a hint, as the one language is."""
    with pytest.raises(ValidationError, match=told):
        TranscribeOptions(languages=("en", code))


def test_a_named_language_is_among_the_candidates() -> None:
    """A contradiction is reported instead of resolved silently."""
    (told,) = TranscribeOptions(language="de", languages=("ko", "en")).contradictions
    assert told == "language: de is not among languages (en, ko); add it, or leave one out"
    assert not TranscribeOptions(language="ko", languages=("ko", "en")).contradictions
    assert TranscribeOptions(language="auto", languages=("ko",)).language is None


def test_written_lists_of_codes_ignore_case_and_gaps() -> None:
    """As forms, commands and metadata write them."""
    assert language_codes([" KO", "en ", ""]) == ("ko", "en")
