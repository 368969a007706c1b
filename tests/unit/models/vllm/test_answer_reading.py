"""What an answer may be wrapped in, cite and spell, and what of it is refused."""

import pytest

from models.vllm.enrichment.answers import InvalidAnswer, citations, read_answer, with_existing_citations

TITLE = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}


@pytest.mark.parametrize("text", ['{"title": "a"}', '```json\n{"title": "a"}\n```', ' ```\n{"title": "a"}``` '])
def test_a_code_fence_around_json_is_taken_off(text: str) -> None:
    """Models that are not constrained like to write one."""
    assert read_answer(text, TITLE) == {"title": "a"}


@pytest.mark.parametrize("text", ['```json\n{"title": "a"}', '{"title": "a"}\n```', "", "```", '{"title": NaN}'])
def test_half_a_fence_is_not_json(text: str) -> None:
    """Nor is whatever else no parser takes: it is asked for again."""
    with pytest.raises(InvalidAnswer, match="not JSON"):
        read_answer(text, TITLE)


def test_control_characters_within_strings_are_read_and_removed() -> None:
    """Constrained decoding lets some through."""
    assert read_answer('{"title": "a\x01b\tc"}', TITLE) == {"title": "ab\tc"}


def test_names_that_the_schema_spells_may_hold_what_looks_like_markup() -> None:
    """They are its author's words; any other name that is not plain is refused."""
    spelled = {
        "type": "object",
        "properties": {"<b>": {"enum": ["[x](y)"]}},
        "additionalProperties": {"type": "integer"},
    }
    assert read_answer('{"<b>": "[x](y)"}', spelled) == {"<b>": "[x](y)"}
    with pytest.raises(InvalidAnswer, match="not plain text"):
        read_answer('{"<i>a</i>": 1}', spelled)


def test_every_citation_is_found_and_those_of_nothing_are_taken_out() -> None:
    """Wherever they stand, in lists or alone, once each; what is no id is none."""
    value = {
        "points": [{"segment_ids": [1, 9, 1, True, "2"]}, {"segment_id": 2}, {"segment_id": 9}],
        "segment_ids": [],
        "other": [[{"segment_id": 3}], 4],
    }
    assert list(citations(value)) == [1, 9, 1, 2, 9, 3]
    assert with_existing_citations(value, {1, 2, 3}) == {
        "points": [{"segment_ids": [1]}, {"segment_id": 2}, {"segment_id": None}],
        "segment_ids": [],
        "other": [[{"segment_id": 3}], 4],
    }


def test_an_answer_of_another_shape_is_refused_with_the_place_and_the_rule() -> None:
    """The model is told so when it is asked again, and so is the reader of the failure."""
    with pytest.raises(InvalidAnswer) as refused:
        read_answer('{"title": 1}', TITLE)
    assert str(refused.value) == "$.title: 1 is not of type 'string'"


def test_an_answer_that_is_nothing_without_its_markup_is_refused_for_that() -> None:
    """The schema asked for a text; what remains is checked as what was written."""
    titled = {"type": "object", "properties": {"title": {"type": "string", "minLength": 1}}}
    with pytest.raises(InvalidAnswer) as refused:
        read_answer('{"title": "\\u0001"}', titled)
    assert str(refused.value).startswith("$.title (without markup and segments that do not exist): ")
