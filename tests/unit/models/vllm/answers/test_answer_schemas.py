"""Answers for schemas of every kind: only what the schema admits is published."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from models.vllm.answers.bounds import bound_schema
from models.vllm.answers.lengths import TokenBudget, longest_answer_tokens
from models.vllm.answers.reading import InvalidAnswer, read_answer
from models.vllm.enrichment.profiles import load_profiles
from schemas.errors import ConfigurationError

KNOWN = frozenset({0, 1, 2})
TEXT = {"type": "string"}


def with_fields(**fields: Any) -> dict[str, Any]:
    """Return the schema of a closed object with all these fields."""
    return {"type": "object", "additionalProperties": False, "required": list(fields), "properties": fields}


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        (with_fields(title={**TEXT, "minLength": 1}), {"title": "<b>"}),
        (with_fields(code={**TEXT, "pattern": "^file:[0-9]+$"}), {"code": "file:17"}),
        (with_fields(segment_id={"type": "integer"}), {"segment_id": 99}),
        (
            with_fields(segment_ids={"type": "array", "minItems": 1, "items": {"type": "integer"}}),
            {"segment_ids": [9]},
        ),
        (with_fields(none={"type": "array", "maxItems": 0, "items": TEXT}), {"none": ["x"]}),
        (with_fields(site={"anyOf": [{"enum": ["a"]}, {**TEXT, "minLength": 1}]}), {"site": "www.example.org"}),
        ({"type": "object", "additionalProperties": TEXT}, {"<script>": "x"}),
        ({"type": "object", "additionalProperties": TEXT}, {"\ud800": "x"}),
    ],
)
def test_what_cleaning_makes_invalid_is_refused(schema: dict[str, Any], answer: dict[str, Any]) -> None:
    """Answers are validated again after markup and unknown citations were removed."""
    with pytest.raises(InvalidAnswer):
        read_answer(json.dumps(answer), bound_schema(schema), KNOWN)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_json_does_not_have_is_refused(number: str) -> None:
    """Python parses some of them; parsers of subscribers do not."""
    with pytest.raises(InvalidAnswer):
        read_answer(f'{{"share": {number}}}', with_fields(share={"type": "number"}))


@pytest.mark.parametrize("choice", ["www.example.org", "data:personal", "<none>"])
@pytest.mark.parametrize("keyword", ["enum", "const"])
def test_a_choice_of_the_schema_is_not_cleaned(choice: str, keyword: str) -> None:
    """It is the schema author's word, not the model's, even if it looks like markup."""
    schema = with_fields(kind={"anyOf": [{keyword: [choice] if keyword == "enum" else choice}, {"type": "null"}]})
    assert read_answer(json.dumps({"kind": choice}), bound_schema(schema)) == {"kind": choice}


OPEN: dict[str, Any] = {
    "a list of anything": with_fields(a={"type": "array", "items": True}),
    "a list of no described items": with_fields(a={"type": "array"}),
    "anything": with_fields(a=True, b={}),
    "a choice with anything": with_fields(a={"anyOf": [True, {"type": "null"}]}),
    "a choice with nothing": with_fields(a={"oneOf": [TEXT, False]}),
    "all of some": with_fields(a={"allOf": [{"type": "array", "items": TEXT}]}),
    "a tuple": with_fields(a={"type": "array", "prefixItems": [TEXT, {"type": "integer"}], "items": False}),
    "a map": with_fields(a={"type": "object", "additionalProperties": TEXT}),
    "a pattern of names": with_fields(a={"type": "object", "patternProperties": {"^x": TEXT}}),
    "a reference": {**with_fields(a={"$ref": "#/$defs/note"}), "$defs": {"note": with_fields(text=TEXT)}},
    "a tree": {
        **with_fields(a={"$ref": "#/$defs/node"}),
        "$defs": {"node": with_fields(text=TEXT, under={"type": "array", "items": {"$ref": "#/$defs/node"}})},
    },
    "kinds": with_fields(a={"type": ["array", "string", "null"], "items": TEXT}),
    "no choice": with_fields(a={"enum": []}),
    "another draft": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **with_fields(a={"type": "array", "items": [TEXT], "additionalItems": TEXT}),
    },
}


@pytest.mark.parametrize("name", OPEN)
def test_every_valid_schema_is_bounded_and_shrinks(name: str) -> None:
    """The result is a valid schema with shorter answers, for lists, maps, choices and references alike."""
    schema, small = bound_schema(OPEN[name]), bound_schema(OPEN[name], TokenBudget(100))
    jsonschema.validators.validator_for(small).check_schema(small)
    assert longest_answer_tokens(small, TokenBudget(100)) <= longest_answer_tokens(schema, TokenBudget(100))


def test_bounds_reach_strings_within_all_of() -> None:
    """They reach those of anyOf and oneOf too."""
    expected = {"allOf": [{"type": "array", "items": {**TEXT, "maxLength": 2_000}, "maxItems": 64}]}
    assert bound_schema(OPEN["all of some"])["properties"]["a"] == expected


@pytest.mark.parametrize("name", ["all of some", "a tuple", "a map", "a pattern of names", "a reference"])
def test_the_longest_answer_of_what_can_be_bounded_fits(name: str) -> None:
    """The token limit then cuts off no answer."""
    budget = TokenBudget(400)
    assert longest_answer_tokens(bound_schema(OPEN[name]), budget) > 400
    assert longest_answer_tokens(bound_schema(OPEN[name], budget), budget) <= 400


def test_a_bound_of_the_schema_is_never_widened() -> None:
    """Lists without items, objects without fields and short strings keep their bounds."""
    schema = with_fields(
        none={"type": "array", "maxItems": 0, "items": TEXT},
        closed={"type": "object", "maxProperties": 0, "additionalProperties": TEXT},
        short={**TEXT, "maxLength": 3},
        day={**TEXT, "format": "date"},
    )
    assert bound_schema(schema)["properties"] == {
        "none": {"type": "array", "maxItems": 0, "items": {**TEXT, "maxLength": 2_000}},
        "closed": {"type": "object", "maxProperties": 0, "additionalProperties": {**TEXT, "maxLength": 2_000}},
        "short": {**TEXT, "maxLength": 3},
        "day": {**TEXT, "format": "date"},
    }


@pytest.mark.parametrize("name", OPEN)
def test_a_profile_with_any_valid_schema_is_loaded(name: str, tmp_path: Path) -> None:
    """Its schema is checked at start, not with the first record."""
    assert load_profiles(written(OPEN[name], tmp_path))["mine"].schema == OPEN[name]


@pytest.mark.parametrize(
    "schema",
    [
        with_fields(a={"$ref": "#/$defs/absent"}),
        with_fields(a={"$ref": "https://example.org/schema.json"}),
        {"$schema": "http://json-schema.org/draft-03/schema#", "type": "object", "allOf": 5},
        {"type": "object", "properties": {"a": {"maxLength": "long"}}},
    ],
)
def test_the_error_for_an_unusable_schema_names_its_file(schema: dict[str, Any], tmp_path: Path) -> None:
    """It is raised at start, not for every record."""
    with pytest.raises(ConfigurationError, match=r"mine\.toml"):
        load_profiles(written(schema, tmp_path))


def test_the_error_for_a_schema_nested_without_end_names_its_file(tmp_path: Path) -> None:
    """Its nesting exceeds the parser's limit."""
    deep = '{"type": "object", "properties": {"a": ' * 5_000 + "true" + "}}" * 5_000
    (tmp_path / "mine.toml").write_text(f"name='mine'\nversion='1'\ntask='Do.'\nschema='{deep}'", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"mine\.toml"):
        load_profiles(tmp_path)


def written(schema: dict[str, Any], directory: Path) -> Path:
    """Write a profile with this schema; return the directory."""
    lines = ("name='mine'", "version='1'", "task='Do.'", f"schema='''{json.dumps(schema)}'''")
    (directory / "mine.toml").write_text("\n".join(lines), encoding="utf-8")
    return directory
