"""Segments are what a reader of subtitles expects: sentences, ended by pauses, never too long."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.media.speech.windows import SAMPLE_RATE_HERTZ, Span, TimeMap, Window
from models.whisper.gate import Decoded
from models.whisper.rows import Alignment
from models.whisper.text.segments import (
    LONGEST_SECONDS,
    UNALIGNED_SECONDS,
    WindowResult,
    needs_alignment,
    segments_of,
)
from models.whisper.text.words import TimedWord, time_words
from schemas.transcripts.transcript import Segment

SECOND = SAMPLE_RATE_HERTZ


def window(*spans: tuple[float, float], channel: int | None = None) -> Window:
    """Return a window of spans given in seconds."""
    held = tuple(Span(int(start * SECOND), int(end * SECOND)) for start, end in spans)
    return Window(channel=channel, spans=held, frames=100, offset_bytes=0)


def decoded(text: str) -> Decoded:
    """Return a good result."""
    return Decoded((1,), text, avg_logprob=-0.25, no_speech_prob=0.01, penalty=1.0, truncated=False)


def words(*timed: tuple[str, float, float]) -> tuple[TimedWord, ...]:
    """Words from text, start and end."""
    return tuple(TimedWord(text, start, end, 0.9) for text, start, end in timed)


def segments(heard: tuple[TimedWord, ...], *, with_words: bool = False) -> tuple[Segment, ...]:
    """Return the segments of one window of these words."""
    text = "".join(word.text for word in heard)
    one = WindowResult(window((0, 30)), decoded(text), (), heard)
    return segments_of([one], language="en", with_words=with_words)


def test_a_sentence_is_a_segment() -> None:
    """With the times of its first and last word."""
    found = segments(
        words(
            (" Good", 0.0, 0.5),
            (" morning.", 0.5, 1.2),
            (" How", 1.3, 1.5),
            (" are", 1.5, 1.7),
            (" you?", 1.7, 2.5),
        )
    )
    assert [(segment.text, segment.start, segment.end) for segment in found] == [
        ("Good morning.", 0.0, 1.2),
        ("How are you?", 1.3, 2.5),
    ]


def test_a_pause_ends_a_segment() -> None:
    """With or without punctuation, which many models leave out."""
    found = segments(words((" one", 0.0, 0.5), (" two", 0.6, 1.0), (" three", 3.0, 3.5)))
    assert [segment.text for segment in found] == ["one two", "three"]


def test_no_segment_is_longer_than_a_reader_likes() -> None:
    """Speech without pause or punctuation is cut between words."""
    found = segments(words(*[(f" word{number}", number * 0.5, number * 0.5 + 0.5) for number in range(60)]))
    assert len(found) > 2
    assert all(segment.end - segment.start <= LONGEST_SECONDS for segment in found)
    assert " ".join(segment.text for segment in found) == " ".join(f"word{number}" for number in range(60))


def test_a_very_short_sentence_takes_the_next_one_along() -> None:
    """Yes. is no subtitle of its own."""
    found = segments(words((" Yes.", 0.0, 0.4), (" I", 0.4, 0.6), (" see.", 0.6, 1.5)))
    assert [segment.text for segment in found] == ["Yes. I see."]


def test_chinese_sentences_end_too() -> None:
    """Where no spaces are written, a word is a character."""
    characters = [*"今天天气很好。", *"我们出去。"]
    found = segments(words(*[(text, place * 0.3, place * 0.3 + 0.3) for place, text in enumerate(characters)]))
    assert [segment.text for segment in found] == ["今天天气很好。", "我们出去。"]


def test_words_are_given_only_when_asked_for() -> None:
    """Alignment may have run for the times alone."""
    heard = words((" Hello.", 0.0, 1.1))
    assert segments(heard)[0].words is None
    given = segments(heard, with_words=True)[0].words
    assert given is not None
    assert [(word.word, word.start, word.end) for word in given] == [(" Hello.", 0.0, 1.1)]


def test_an_unaligned_window_is_one_segment_of_its_spans() -> None:
    """The voice detector's times stand."""
    one = WindowResult(window((3, 7)), decoded(" hello"))
    (segment,) = segments_of([one], language="ko", with_words=False)
    assert (segment.text, segment.start, segment.end, segment.language) == ("hello", 3.0, 7.0, "ko")
    assert segment.avg_logprob == -0.25


def test_segments_of_all_channels_are_in_the_order_of_time() -> None:
    """With ids that count from zero."""
    heard = [
        WindowResult(window((0, 2), channel=0), decoded(" first")),
        WindowResult(window((5, 7), channel=0), decoded(" third")),
        WindowResult(window((2, 4), channel=1), decoded(" second")),
        WindowResult(window((8, 9), channel=1), None),
    ]
    found = segments_of(heard, language="en", with_words=False)
    assert [(segment.id, segment.text, segment.channel) for segment in found] == [
        (0, "first", 0),
        (1, "second", 1),
        (2, "third", 0),
    ]


def test_only_what_the_detector_times_too_coarsely_is_aligned() -> None:
    """A short utterance by itself costs no alignment."""
    assert not needs_alignment(window((0, 4)))
    assert needs_alignment(window((0, 2), (5, 6)))
    assert needs_alignment(window((0, 20)))
    assert not needs_alignment(window((10, 10 + UNALIGNED_SECONDS)))


def test_words_get_the_times_of_their_tokens() -> None:
    """A word begins with its first token and ends where the next word begins; probability is the mean."""
    alignment = Alignment(starts_seconds=(0.0, 0.4, 0.6, 1.0), probabilities=(0.9, 0.5, 0.7))
    found = time_words([(" hello", 1), (" there", 2)], alignment, TimeMap((Span(0, SECOND * 2),)))
    assert [(word.text, word.start_seconds, word.end_seconds) for word in found] == [
        (" hello", 0.0, 0.4),
        (" there", 0.4, 1.0),
    ]
    assert [round(word.probability, 3) for word in found] == [0.9, 0.6]


def test_punctuation_stays_with_its_word() -> None:
    """Quotes open before, commas and full stops close after."""
    counted = [(" She", 1), (" said", 1), (",", 1), (' "', 1), ("no", 1), (".", 1), ('"', 1)]
    alignment = Alignment(tuple(number * 0.3 for number in range(8)), (0.9,) * 7)
    found = time_words(counted, alignment, TimeMap((Span(0, SECOND * 3),)))
    assert [word.text for word in found] == [" She", " said,", ' "no."']


def test_words_that_were_aligned_to_one_instant_take_the_silence_after_it() -> None:
    """Each as long as the others are, and no longer."""
    counted = [(" zero", 1), (" one", 1), (" two", 1)]
    alignment = Alignment((0.0, 0.5, 0.5, 0.5), (0.9,) * 3)
    found = time_words(counted, alignment, TimeMap((Span(0, SECOND * 4),)))
    assert [(word.start_seconds, word.end_seconds) for word in found] == [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5)]


def test_words_at_one_instant_take_the_silence_before_it_too() -> None:
    """A sentence that took a pause in gives it to the words behind it."""
    counted = [(" zero", 1), (" one.", 1), (" two", 1), (" three", 1)]
    alignment = Alignment((0.0, 0.25, 1.75, 1.75, 2.0), (0.9,) * 4)
    found = time_words(counted, alignment, TimeMap((Span(0, SECOND * 4),)))
    assert [(word.start_seconds, word.end_seconds) for word in found] == [
        (0.0, 0.25),
        (0.25, 0.75),
        (1.5, 1.75),
        (1.75, 2.0),
    ]


def test_words_aligned_beyond_the_end_of_the_window_lie_within_it() -> None:
    """The alignment works in whole seconds; the silence after the last one is not in the recording."""
    counted = [(" stop", 1), (" nine", 1)]
    found = time_words(counted, Alignment((0.4, 1.8, 2.0), (0.9, 0.9)), TimeMap((Span(0, SECOND * 3 // 2),)))
    (first, last) = found
    assert first.end_seconds == last.start_seconds < last.end_seconds == 1.5


@given(
    st.lists(st.sampled_from([" go", " stop.", " 가", "、", "天", ' "']), min_size=1, max_size=224),
    st.lists(st.integers(0, 1_500), min_size=225, max_size=225).map(sorted),
    st.lists(st.tuples(st.floats(0, 3), st.floats(0.25, 4)), min_size=1, max_size=5),
)
def test_no_segment_and_no_word_is_without_length(
    texts: list[str], steps: Sequence[int], spans: list[tuple[float, float]]
) -> None:
    """However the alignment puts them, words follow each other, and so do the segments made of them."""
    edges, at = [], 0.0
    for pause, length in spans:
        edges.append((at + pause, at + pause + length))
        at += pause + length
    heard = window(*edges)
    alignment = Alignment(tuple(step * 0.02 for step in steps[: len(texts) + 1]), (0.5,) * len(texts))
    found = time_words([(text, 1) for text in texts], alignment, TimeMap(heard.spans))
    text = "".join(texts)
    made = segments_of([WindowResult(heard, decoded(text), (), found)], language="en", with_words=True)
    timed = [word for segment in made for word in segment.words or ()]
    assert "".join(word.word for word in timed) == text
    for times in ([(one.start, one.end) for one in timed], [(one.start, one.end) for one in made]):
        assert all(start < end for start, end in times)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(times))


def split_after(*timed: tuple[str, float, float]) -> list[str]:
    """Return the texts of the segments."""
    return [segment.text for segment in segments(words(*timed))]


def test_a_pause_of_six_tenths_ends_a_segment_and_a_shorter_one_does_not() -> None:
    """Speakers breathe in less."""
    assert split_after((" one", 0.0, 0.5), (" two", 1.09, 1.5)) == ["one two"]
    assert split_after((" one", 0.0, 0.5), (" two", 1.1, 1.5)) == ["one", "two"]


def test_a_sentence_of_a_second_stands_by_itself() -> None:
    """A shorter one takes the next one along."""
    assert split_after((" Yes.", 0.0, 0.99), (" I", 1.0, 1.2)) == ["Yes. I"]
    assert split_after((" Yes.", 0.0, 1.0), (" I", 1.0, 1.2)) == ["Yes.", "I"]


@pytest.mark.parametrize("comma", [",", "，", "、", ";", "；", ":", "："])
def test_from_seven_seconds_on_a_comma_ends_a_segment(comma: str) -> None:
    """In any script; before that it does not."""
    assert split_after((" long", 0.0, 4.0), (f" word{comma}", 4.0, 7.0), (" more", 7.0, 7.5)) == [
        f"long word{comma}",
        "more",
    ]
    assert split_after((" long", 0.0, 4.0), (f" word{comma}", 4.0, 6.9), (" more", 6.9, 7.5)) == [
        f"long word{comma} more"
    ]


def test_twelve_seconds_are_as_long_as_a_segment_gets() -> None:
    """It ends before the word that would exceed them."""
    assert split_after((" a", 9.0, 15.0), (" b", 15.0, 21.0)) == ["a b"]
    assert split_after((" a", 9.0, 15.0), (" b", 15.0, 21.1)) == ["a", "b"]


def test_channels_that_speak_at_once_come_in_their_order() -> None:
    """Whichever window was answered first."""
    heard = [WindowResult(window((1, 2), channel=number), decoded(f" {number}")) for number in (2, 1, 0)]
    assert [one.channel for one in segments_of(heard, language="en", with_words=False)] == [0, 1, 2]


def test_a_word_is_not_cut_at_its_full_stop() -> None:
    """Versions, times and abbreviations come as several tokens; Chinese words are joined without spaces anyway."""
    assert split_after((" version", 0.0, 1.0), (" 3", 1.0, 1.4), (".11", 1.4, 2.0)) == ["version 3.11"]
    assert split_after((" U.", 0.0, 1.2), ("S", 1.2, 1.4), (" is", 1.4, 2.0)) == ["U.", "S is"]


def test_quotes_and_brackets_hide_no_full_stop() -> None:
    """A sentence ends with what closes it."""
    for closing in ("?", "!", "…", ".”", '."', ".)", "。」"[:1]):
        assert split_after((f" said{closing}", 0.0, 1.5), (" Next", 1.5, 2.0)) == [f"said{closing}", "Next"]


def test_opening_quotes_begin_with_their_word_and_probabilities_are_means() -> None:
    """Punctuation brings no probability of its own, and a word of several tokens has their mean, 1 at most."""
    counted = [(' "', 1), ("no", 2), (".", 1), (" way", 1)]
    alignment = Alignment((0.0, 0.2, 0.4, 0.6, 0.8, 1.0), (0.1, 0.8, 0.6, 0.2, 1.0001))
    found = time_words(counted, alignment, TimeMap((Span(0, SECOND * 2),)))
    assert [(word.text, round(word.probability, 3)) for word in found] == [(' "no.', 0.7), (" way", 1.0)]
    assert [(word.start_seconds, word.end_seconds) for word in found] == [(0.0, 0.6), (0.8, 1.0)]


def test_a_word_that_took_a_pause_in_gives_it_back() -> None:
    """The first one begins late, and the last of a sentence ends early: twice the usual length is enough."""
    counted = [(" one", 1), (" two", 1), (" three.", 1), (" four", 1), (" five", 1)]
    alignment = Alignment((0.0, 2.0, 2.5, 4.5, 6.5, 7.0), (0.9,) * 5)
    found = time_words(counted, alignment, TimeMap((Span(0, SECOND * 8),)))
    assert [(round(word.start_seconds, 3), round(word.end_seconds, 3)) for word in found] == [
        (0.6, 2.0),
        (2.0, 2.5),
        (2.5, 3.9),
        (5.1, 6.5),
        (6.5, 7.0),
    ]


def test_speech_that_begins_late_is_held_together_as_any_other() -> None:
    """How long a segment is counts from its own beginning, not from the recording's."""
    found = segments(words((" one", 20.0, 20.5), (" two", 20.6, 21.0), (" three.", 21.1, 21.6)))
    assert [(segment.text, segment.start, segment.end) for segment in found] == [("one two three.", 20.0, 21.6)]


def test_a_word_says_how_sure_it_is_and_when_it_was_said() -> None:
    """To four digits of its probability, and to the millisecond."""
    heard = (TimedWord(" late.", 3_000.0, 3_001.5, 0.87654),)
    one = WindowResult(window((3_000, 3_002)), decoded(" late."), (), heard)
    (segment,) = segments_of([one], language="en", with_words=True)
    assert segment.words is not None
    (word,) = segment.words
    assert (word.start, word.end, word.probability) == (3_000.0, 3_001.5, 0.8765)
