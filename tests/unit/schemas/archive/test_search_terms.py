"""The terms of the search index, and queries over them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.archive.numbers import first_number, job_number
from schemas.archive.search_terms import (
    Phrase,
    SearchQuery,
    find_in,
    index_terms,
    language_term,
    query_terms,
    tenant_term,
)


def is_found(query: str, text: str) -> bool:
    """Return whether an index finds the query in a text, as both databases do."""
    padded = f" {index_terms(text)} "
    return bool(query_terms(query).phrases) and all(
        f" {' '.join(phrase.terms)}{'' if phrase.open else ' '}" in padded for phrase in query_terms(query).phrases
    )


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Hello, WORLD-2", "hello world 2"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("회의록을 보세요", "회의 의록 록을 을 보세 세요 요"),
        ("你好世界", "你好 好世 世界 界"),
        ("ﾃｽﾄ ｶﾞ", "テス スト ト ガ"),
        ("GPT모델은", "gpt 모델 델은 은"),
        ("हिन्दी भाषा", "हिन्दी भाषा"),
        ("...", ""),
    ],
)
def test_texts_become_terms(text: str, terms: str) -> None:
    """Words of alphabets whole, other scripts by pairs; width and case make no difference."""
    assert index_terms(text) == terms


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("회의", "그회의록을"),
        ("록을", "회의록을 보세요"),
        ("의", "회의록"),
        ("록", "회의록"),
        ("世界", "你好世界"),
        ("水", "喝水"),
        ("don't", "Don’t stop"),
        ('"annual report"', "the Annual  report is"),
        ("「회의록을 보」", "이 회의록을 보세요"),
        ("report annual", "annual x report"),
        ("모델A", "이모델A는"),
    ],
)
def test_what_is_said_is_found(query: str, text: str) -> None:
    """In the index and, for the highlights, in the text."""
    assert is_found(query, text)
    assert find_in(text, query_terms(query))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ('"report annual"', "annual report"),
        ("port", "report"),
        ("회록", "회의록"),
        ("世你", "你好世界"),
        ("", "anything"),
        ("...", "anything"),
    ],
)
def test_what_is_not_said_is_not_found(query: str, text: str) -> None:
    """Neither parts of an alphabet's words, nor characters that do not follow each other."""
    assert not is_found(query, text)


def test_spans_are_of_the_original_characters() -> None:
    """Composed and decomposed, wide and narrow characters: the highlights fit the text as it is shown."""
    decomposed = "그 \u1112\u116c\u110b\u1174록"
    assert [decomposed[start:end] for start, end in find_in(decomposed, query_terms("회의"))] == [
        "\u1112\u116c\u110b\u1174"
    ]
    text = "Ｔｈｅ ﬁle, the file"
    found = [text[start:end] for start, end in find_in(text, query_terms("file the"))]
    assert found == ["Ｔｈｅ", "ﬁle", "the", "file"]
    assert find_in("회의의", query_terms("회의 의의")) == [(0, 3)]


@given(st.text(max_size=40))
def test_every_part_of_a_text_between_spaces_finds_it(text: str) -> None:
    """Whatever people paste from a transcript is found in it."""
    for part in text.split():
        if query_terms(part).phrases and '"' not in part:
            assert is_found(part, text) or any(mark in part for mark in "“”„«»「」『』")


@given(st.text(max_size=40), st.text(max_size=10))
def test_spans_are_in_order_and_within_the_text(text: str, query: str) -> None:
    """Whatever the input: the page marks them without looking."""
    spans = find_in(text, query_terms(query))
    flat = [place for span in spans for place in span]
    assert flat == sorted(flat)
    assert all(0 <= start < end <= len(text) for start, end in spans)


def test_queries_become_expressions_without_anything_of_the_callers_own() -> None:
    """Operators of the databases in a query are words or nothing: no query is a syntax error."""
    query = query_terms("""NEAR(a b) OR 'x' & !y:* "c d" 水""")
    assert query.match_expression(tenant_term("t")).count('"') == 2 * (len(query.phrases) + 1)
    assert "'x'" in query.tsquery()
    assert "!" not in query.tsquery()
    assert query.patterns() == ("% near a %", "% c d %")
    assert SearchQuery((Phrase(("水",), open=True),)).tsquery() == "'水':*"


def test_no_text_has_the_terms_of_tenants_and_languages() -> None:
    """Nobody finds another tenant's recordings by saying its name."""
    term = tenant_term("team")
    assert term != tenant_term("Team")
    assert term not in index_terms(f"team {term}").split()
    assert language_term("zh-CN") == language_term("ZH-cn")


def test_numbers_follow_the_time_of_jobs() -> None:
    """The same job gets the same number again, and a later one a larger one."""
    assert job_number(1_000, "a") == job_number(1_000, "a")
    assert first_number(1_000) <= job_number(1_000, "b") < first_number(1_001) <= job_number(1_001, "a")
    assert job_number(8_000_000_000_000, "z") < 2**63
