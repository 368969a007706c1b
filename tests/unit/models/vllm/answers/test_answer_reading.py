"""Reading of answers: code fences, citations and literals that are accepted, and answers that are refused."""

import pytest

from models.vllm.answers.citations import citations, with_existing_citations
from models.vllm.answers.reading import InvalidAnswer, read_answer

TITLE = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}


@pytest.mark.parametrize("text", ['{"title": "a"}', '```json\n{"title": "a"}\n```', ' ```\n{"title": "a"}``` '])
def test_a_code_fence_around_json_is_taken_off(text: str) -> None:
    """Unconstrained models often write one."""
    assert read_answer(text, TITLE) == {"title": "a"}


@pytest.mark.parametrize("text", ['```json\n{"title": "a"}', '{"title": "a"}\n```', "", "```", '{"title": NaN}'])
def test_half_a_fence_is_not_json(text: str) -> None:
    """Nothing that a JSON parser refuses is accepted."""
    with pytest.raises(InvalidAnswer, match="not JSON"):
        read_answer(text, TITLE)


def test_control_characters_within_strings_are_read_and_removed() -> None:
    """Constrained decoding lets some through."""
    assert read_answer('{"title": "a\x01b\tc"}', TITLE) == {"title": "ab\tc"}


def test_names_in_the_schema_may_contain_markup() -> None:
    """They are its author's words; any other name that is not plain text is refused."""
    schema = {
        "type": "object",
        "properties": {"<b>": {"enum": ["[x](y)"]}},
        "additionalProperties": {"type": "integer"},
    }
    assert read_answer('{"<b>": "[x](y)"}', schema) == {"<b>": "[x](y)"}
    with pytest.raises(InvalidAnswer, match="not plain text"):
        read_answer('{"<i>a</i>": 1}', schema)


def test_every_citation_is_found_and_unknown_segments_are_dropped() -> None:
    """At any depth, in lists or alone, once each; values that are no ids are no citations."""
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


def test_an_answer_of_another_shape_is_refused_with_path_and_rule() -> None:
    """The failure event carries this message."""
    with pytest.raises(InvalidAnswer) as refused:
        read_answer('{"title": 1}', TITLE)
    assert str(refused.value) == "$.title: 1 is not of type 'string'"


def test_an_answer_that_cleaning_makes_invalid_is_refused_with_the_reason() -> None:
    """The cleaned answer is validated again."""
    titled = {"type": "object", "properties": {"title": {"type": "string", "minLength": 1}}}
    with pytest.raises(InvalidAnswer) as refused:
        read_answer('{"title": "\\u0001"}', titled)
    assert str(refused.value).startswith("$.title (without markup and segments that do not exist): ")
