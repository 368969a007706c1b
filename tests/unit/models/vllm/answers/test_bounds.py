"""Bounds in schemas: numbers have limits, the longest answer fits, and few schemas serve many transcripts."""

import json
import random
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vllm.answers.bounds import bound_schema, nines_from
from models.vllm.answers.citations import CITATION_FIELDS
from models.vllm.answers.lengths import DIGITS_LIMIT, TokenBudget, longest_answer_tokens
from models.vllm.enrichment.note_taker import POINTS_SCHEMA
from models.vllm.enrichment.profiles import load_profiles

LARGEST = 10**DIGITS_LIMIT - 1
LIMITS = st.one_of(st.none(), st.integers(-(10**20), 10**20))

numbers = st.builds(
    lambda kind, low, high: {
        "type": kind,
        **({"minimum": low} if low is not None else {}),
        **({"maximum": high} if high is not None and (low is None or low <= high) else {}),
    },
    st.sampled_from(["integer", "number", ["integer", "null"], ["string", "number"]]),
    LIMITS,
    LIMITS,
)
leaves = st.one_of(
    numbers,
    st.builds(lambda most: {"type": "string", "maxLength": most}, st.integers(0, 3_000)),
    st.just({"type": "boolean"}),
    st.just({"enum": ["one", "two", 3]}),
)
schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(
            lambda item, most: {"type": "array", "items": item, "maxItems": most}, inner, st.integers(1, 40)
        ),
        st.dictionaries(st.sampled_from(["a", "b", "segment_ids", "segment_id"]), inner, min_size=1).map(
            lambda fields: {"type": "object", "properties": fields, "additionalProperties": False}
        ),
        st.lists(inner, min_size=1, max_size=2).map(lambda options: {"anyOf": options}),
    ),
    max_leaves=6,
)


def numbers_in(schema: Any, field: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every part that admits numbers, with the name of its field."""
    if isinstance(schema, list):
        for part in schema:
            yield from numbers_in(part, field)
    if not isinstance(schema, dict):
        return
    kinds = schema.get("type", ())
    if {"integer", "number"} & ({kinds} if isinstance(kinds, str) else set(kinds)):
        yield field, schema
    for name, part in schema.get("properties", {}).items():
        yield from numbers_in(part, name)
    for keyword in ("items", "anyOf"):
        yield from numbers_in(schema.get(keyword), field)


@given(schemas, st.one_of(st.none(), st.integers(0, 5_000)))
def test_every_number_has_both_limits(schema: dict[str, Any], last: int | None) -> None:
    """None is wider than stated, each pair admits a value, and no limit that was stated changes."""
    before = [part for _, part in numbers_in(schema)]
    for (field, part), old in zip(numbers_in(bound_schema(schema, last_segment_id=last)), before, strict=True):
        assert part["minimum"] <= part["maximum"]
        assert part["minimum"] == old.get("minimum", part["minimum"])
        assert part["maximum"] == old.get("maximum", part["maximum"])
        if field in CITATION_FIELDS and last is not None and not {"minimum", "maximum"} & old.keys():
            assert (part["minimum"], part["maximum"]) == (0, nines_from(last))


@given(schemas, st.integers(20, 2_000), st.floats(0.2, 3.0))
def test_the_longest_answer_fits_or_nothing_shorter_is_possible(
    schema: dict[str, Any], tokens: int, per_character: float
) -> None:
    """The token limit then cuts off no answer, however large its numbers."""
    budget, least = TokenBudget(tokens, per_character), TokenBudget(0.0, per_character)
    small = bound_schema(schema, budget, last_segment_id=50)
    jsonschema.Draft202012Validator.check_schema(small)
    shortest = longest_answer_tokens(bound_schema(schema, least, last_segment_id=50), least)
    assert longest_answer_tokens(small, budget) <= max(tokens, shortest)


@given(st.integers(-(10**20), 10**20), st.integers(-(10**20), 10**20), st.sampled_from(["integer", "number"]))
def test_no_number_is_longer_than_counted(one: int, other: int, kind: str) -> None:
    """The count covers sign, digits, point and decimals."""
    schema = {"type": kind, "minimum": min(one, other), "maximum": max(one, other)}
    longest = max(len(str(one)), len(str(other)))
    assert longest_answer_tokens(schema, TokenBudget(0)) >= longest + (len(".123456") if kind == "number" else 0)


@pytest.mark.parametrize(
    ("stated", "bounds"),
    [
        ({}, (-LARGEST, LARGEST)),
        ({"minimum": 0}, (0, LARGEST)),
        ({"exclusiveMinimum": 0}, (None, LARGEST)),
        ({"maximum": -5}, (-LARGEST, -5)),
        ({"minimum": 10**16}, (10**16, 10**17 - 1)),
        ({"maximum": -(10**16)}, (-(10**17 - 1), -(10**16))),
        ({"exclusiveMinimum": True, "minimum": 0}, (0, LARGEST)),
    ],
)
def test_only_missing_limits_are_added(stated: dict[str, Any], bounds: tuple[Any, Any]) -> None:
    """Fifteen digits, more where a stated limit demands it; a limit of an older draft stays as it is."""
    bounded = bound_schema({"type": "integer", **stated})
    assert (bounded.get("minimum"), bounded.get("maximum")) == bounds
    assert all(bounded[name] == value for name, value in stated.items())


@pytest.mark.parametrize(("last", "limit"), [(0, 9), (9, 9), (10, 99), (99, 99), (100, 999), (12_345, 99_999)])
def test_cited_ids_end_at_the_next_nines(last: int, limit: int) -> None:
    """Transcripts of a similar length share a schema, and no id needs more digits than the last one."""
    schema = POINTS_SCHEMA["properties"]["points"]["items"]["properties"]["segment_ids"]
    bounded = bound_schema({"type": "object", "properties": {"segment_ids": schema}}, last_segment_id=last)
    assert bounded["properties"]["segment_ids"]["items"] == {"type": "integer", "minimum": 0, "maximum": limit}


def test_a_limit_of_the_author_on_cited_ids_stays() -> None:
    """Ids that begin above the transcript's last one get room of their own."""
    schema = {"type": "object", "properties": {"segment_id": {"type": "integer", "minimum": 500}}}
    bounded = bound_schema(schema, last_segment_id=7)["properties"]["segment_id"]
    assert bounded == {"type": "integer", "minimum": 500, "maximum": LARGEST}


def test_two_hundred_transcripts_need_few_schemas() -> None:
    """Their tokens per character and their lengths all differ; a server compiles each schema once."""
    draw = random.Random(11)
    transcripts = [(draw.uniform(0.2, 1.4), draw.randint(0, 2_000)) for _ in range(200)]
    profiles = load_profiles().values()
    sent = {
        profile.name: {
            json.dumps(
                bound_schema(
                    profile.schema or {},
                    TokenBudget(profile.max_completion_tokens, per_character, min(1.0, 2 * per_character)),
                    last_segment_id=last,
                )
            )
            for per_character, last in transcripts
        }
        for profile in profiles
    }
    assert sum(map(len, sent.values())) <= 10 * len(sent)
