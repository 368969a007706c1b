"""Redaction without a model: patterns in three languages, and replacement in texts and words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vllm.enrichment.rewriting.patterns import RedactionKind, find_patterns
from models.vllm.enrichment.rewriting.redaction import Mention, is_plausible, redact
from schemas.transcripts.transcript import Segment, Word


def _found(text: str) -> list[tuple[str, str]]:
    return [(text[each.start : each.end], each.kind.value) for each in find_patterns(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("call 010-1234-5678 now", [("010-1234-5678", "number")]),
        ("on +82 10 1234 5678.", [("+82 10 1234 5678", "number")]),
        ("mail jane.doe+x@mail.example.org", [("jane.doe+x@mail.example.org", "email")]),
        ("write to jane dot doe at mail dot com please", [("jane dot doe at mail dot com", "email")]),
        ("메일은 jane 골뱅이 메일 닷 컴 입니다", [("jane 골뱅이 메일 닷 컴", "email")]),
        ("my card is 4111 1111 1111 1111", [("4111 1111 1111 1111", "card")]),
        ("not a card: 4111 1111 1111 1112", [("4111 1111 1111 1112", "number")]),
        ("it is five five five oh one two three", [("five five five oh one two three", "number")]),
        ("double five one two three", [("double five one two three", "number")]),
        ("번호는 공일공 일이삼사 오육칠팔 입니다", [("공일공 일이삼사 오육칠팔", "number")]),
        ("공일공에 일이삼사에 오육칠팔이요", [("공일공에 일이삼사에 오육칠팔이", "number")]),
        ("电话是一三八零零一三八零零零", [("一三八零零一三八零零零", "number")]),
        ("주민번호 900101-1234567", [("900101-1234567", "number")]),
    ],
)
def test_identifying_numbers_and_addresses_are_found(text: str, expected: list[tuple[str, str]]) -> None:
    """Written and spoken forms, in English, Korean and Chinese."""
    assert _found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "in 2024, room 312, on 2024-03-01",
        "1,250,000 won, $4500 and 3.14159",
        "one two three",
        "우리 이사 갔어요, 일이 많아요",
        "三点一刻，一九年",
        "meet at noon",
    ],
)
def test_ordinary_numbers_stay(text: str) -> None:
    """Years, dates, amounts, short counts, and words that contain digit syllables."""
    assert _found(text) == []


def _segment(number: int, words: list[str]) -> Segment:
    timed = tuple(
        Word(word=word, start=number * 10.0 + place, end=number * 10.0 + place + 1, probability=1.0)
        for place, word in enumerate(words)
    )
    return Segment(id=number, start=number * 10.0, end=number * 10.0 + 9, text="".join(words), words=timed)


def test_texts_and_words_lose_the_same_passages() -> None:
    """A number that a pause divides is found; words of one passage become one, with all their time."""
    first = _segment(0, [" Call", " Anna", " Berg", " at", " 010"])
    second = _segment(1, [" 1234", " 5678,", " says", " Anna."])
    mentions = [Mention("Anna Berg", RedactionKind.NAME), Mention("Anna", RedactionKind.NAME)]
    redacted = redact([first, second], mentions)
    assert [segment.text for segment in redacted.segments] == [
        " Call [name] at [number]",
        " [number], says [name].",
    ]
    words = [[word.word for word in segment.words or ()] for segment in redacted.segments]
    assert words == [[" Call", " [name]", " at", " [number]"], [" [number],", " says", " [name]."]]
    assert redacted.segments[0].words is not None
    assert (redacted.segments[0].words[1].start, redacted.segments[0].words[1].end) == (1.0, 3.0)
    assert redacted.counts == {RedactionKind.NAME: 2, RedactionKind.NUMBER: 1}


def test_a_korean_name_keeps_its_particle() -> None:
    """The name is replaced wherever it stands; the particle after it is no part of it."""
    segment = Segment(id=0, start=0, end=2, text="김민수가 왔고 김민수는 갔다")
    redacted = redact([segment], [Mention("김민수", RedactionKind.NAME)])
    assert redacted.segments[0].text == "[name]가 왔고 [name]는 갔다"


def test_channels_are_read_apart() -> None:
    """Digits of two speakers do not form a number."""
    segments = [
        Segment(id=0, start=0, end=1, text=" room 12", channel=0),
        Segment(id=1, start=0, end=1, text=" 34 please", channel=1),
    ]
    assert redact(segments).segments == tuple(segments)


@pytest.mark.parametrize("text", ["the hotel", "x", "it said so and so and so on", "12", "a" * 70])
def test_what_cannot_be_a_name_is_not_replaced(text: str) -> None:
    """A small model lists ordinary words as names."""
    assert not is_plausible(Mention(text, RedactionKind.NAME))


@given(st.lists(st.text(max_size=30), max_size=6))
def test_segments_keep_their_number_times_and_other_text(texts: list[str]) -> None:
    """Whatever was said, redaction removes nothing but its findings, and a second one finds no pattern."""
    segments = [Segment(id=n, start=n, end=n + 1, text=text) for n, text in enumerate(texts)]
    once = redact(segments)
    assert [(each.id, each.start, each.end) for each in once.segments] == [
        (each.id, each.start, each.end) for each in segments
    ]
    if not once.counts:
        assert once.segments == tuple(segments)
    assert redact(once.segments).segments == once.segments
