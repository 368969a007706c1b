"""From the text of a search to the judgement of the window."""

from dataclasses import replace

import pytest

from models.whisper.gate import Action, Decoded, Search, searches
from models.whisper.inference.hearing import needs_words, settle
from models.whisper.rows import Hear
from models.whisper.text.vocabulary import Vocabulary
from tests.support.listening import model_directory

HELLO = (2425, 456)
LAST = Hear(searches(Search(5))[-1])


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    """Load the words of the small model."""
    return Vocabulary(model_directory(), multilingual=True)


def decoded(text: str, tokens: tuple[int, ...] = HELLO, **facts: object) -> Decoded:
    """Return a probable text."""
    usual = {"avg_logprob": -0.2, "no_speech_prob": 0.0, "penalty": 1.0, "truncated": False}
    return Decoded(tokens=tokens, text=text, **{**usual, **facts})  # type: ignore[arg-type]


def test_good_text_is_accepted_and_aligned_only_if_words_are_needed(vocabulary: Vocabulary) -> None:
    """Alignment costs a call of the decoder."""
    judgement = settle(Hear(Search(5)), decoded(" hello there"), vocabulary)
    assert judgement.action is Action.ACCEPT
    assert not needs_words(Hear(Search(5)), judgement)
    assert needs_words(Hear(Search(5), words=True), judgement)


def test_text_that_is_not_accepted_is_not_aligned(vocabulary: Vocabulary) -> None:
    """Even if words are requested."""
    hear = Hear(Search(5), words=True, searches_left=1)
    for text, action in ((" click" * 60, Action.RETRY), ("", Action.SILENCE)):
        judgement = settle(replace(hear, searches_left=int(bool(text))), decoded(text), vocabulary)
        assert judgement.action is action
        assert not needs_words(hear, judgement)


def test_a_loop_that_no_search_breaks_is_cut_and_aligned(vocabulary: Vocabulary) -> None:
    """The window's end is not the end of what is left."""
    judgement = settle(LAST, decoded(" hello there" * 20, HELLO * 20), vocabulary)
    assert judgement.chosen.tokens == HELLO
    assert judgement.chosen.text == vocabulary.text(HELLO)
    assert needs_words(LAST, judgement)


def test_text_that_is_short_for_its_speech_is_split(vocabulary: Vocabulary) -> None:
    """Where speech in another language may follow."""
    assert settle(Hear(Search(5), fewest_tokens=3), decoded(" hello there"), vocabulary).action is Action.SPLIT
    assert settle(Hear(Search(5), fewest_tokens=2), decoded(" hello there"), vocabulary).action is Action.ACCEPT


def test_attempts_made_before_are_judged_too(vocabulary: Vocabulary) -> None:
    """The more probable text of two searches is accepted."""
    first = decoded(" how do you do", (1, 2), avg_logprob=-1.1)
    judgement = settle(Hear(Search(1), attempts=(first,)), decoded(" hello", avg_logprob=-1.3), vocabulary)
    assert judgement.chosen.text == " how do you do"
