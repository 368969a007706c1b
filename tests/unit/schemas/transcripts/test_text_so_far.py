"""The text of a job, put together from progress events that may be missing, repeated or of several attempts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.transcripts.joining import join_texts, needs_space
from schemas.transcripts.text_so_far import TextSoFar

WORDS = st.lists(st.text("ab 中", min_size=1, max_size=3).map(str.strip).filter(bool), min_size=1, max_size=8)


def _placed(words: list[str]) -> list[tuple[str, int]]:
    """Return each word with its offset in the joined text."""
    placed, whole = [], ""
    for word in words:
        offset = len(whole) + bool(whole and needs_space(whole[-1], word[0]))
        placed.append((word, offset))
        whole = join_texts((whole, word))
    return placed


@given(WORDS)
def test_all_events_in_order_give_the_whole_text(words: list[str]) -> None:
    """What each call returns is what it added, so the returned texts are the whole one too."""
    so_far = TextSoFar()
    added = [so_far.add(*event) for event in _placed(words)]
    assert "".join(added) == so_far.text == join_texts(words)
    assert so_far.rest_of(join_texts(words)) == ""


@given(WORDS, WORDS, st.data())
def test_lost_repeated_and_late_events_never_contradict_the_transcript(
    words: list[str], further: list[str], choices: st.DataObject
) -> None:
    """Whatever arrives of the attempts at one text, in whatever cuts: the text so far is its beginning."""
    whole = join_texts([*words, *further])
    attempts = [_placed([*words, *further]), _placed([join_texts(words), *further]), _placed([whole])]
    arriving = choices.draw(st.lists(st.sampled_from([event for attempt in attempts for event in attempt])))
    so_far = TextSoFar()
    for event in arriving:
        so_far.add(*event)
    assert so_far.rest_of(whole) is not None


def test_a_lost_mark_of_full_width_is_the_one_gap_that_cannot_be_seen() -> None:
    """It takes the place of a space; the transcript's text then says so."""
    so_far = TextSoFar()
    for text, offset in (("a", 0), ("b", 2)):
        so_far.add(text, offset)
    assert so_far.text == "a b"
    assert so_far.rest_of("a。b") is None


@pytest.mark.parametrize(
    ("text", "offset"), [("three", 8), ("two", None), (None, 3), ("", 3), ("two", 3), ("zero", 0), ("n", 1)]
)
def test_what_does_not_continue_the_text_is_left_out(text: str | None, offset: int | None) -> None:
    """A gap, an unknown place, no text, a place without the space before it, other or known text."""
    so_far = TextSoFar("one")
    assert so_far.add(text, offset) == ""
    assert so_far.text == "one"


def test_another_attempt_adds_only_what_is_new() -> None:
    """Attempts report in other cuts."""
    so_far = TextSoFar("one two")
    assert so_far.add("one", 0) == ""
    assert so_far.add("two three", 4) == " three"
    assert so_far.rest_of("one two three four") == " four"
