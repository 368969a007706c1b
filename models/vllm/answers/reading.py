"""Validation of answers: parsed leniently, validated strictly against their schema, cleaned, validated again."""

import json
import math
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import jsonschema
from jsonschema.protocols import Validator

from models.vllm.answers.citations import with_existing_citations
from models.vllm.answers.cleaning import as_plain_text, plain_strings
from models.vllm.answers.schema_parts import resolve_reference
from schemas.transcripts.answer_flags import AnswerFlag

VALIDATORS_CACHED: Final = 256


class InvalidAnswer(Exception):
    """The model's text does not match its schema, or is worthless: ``flags`` say why, as far as it is known."""

    def __init__(self, message: str, flags: tuple[AnswerFlag, ...] = ()) -> None:
        super().__init__(message)
        self.flags = flags


def validator_for(schema: Mapping[str, Any]) -> Validator:
    """Return a strict validator. Raises jsonschema.SchemaError for an invalid schema.

    Raises ValueError for a reference that leads out of the schema or nowhere: nothing is fetched.
    """
    kind = jsonschema.validators.validator_for(dict(schema), default=jsonschema.Draft202012Validator)
    kind.check_schema(dict(schema))
    for node in _nodes(dict(schema)):
        if isinstance(node.get("$ref"), str):
            resolve_reference(schema, node["$ref"])
    return kind(dict(schema))


def read_answer(text: str, schema: Mapping[str, Any], segment_ids: Collection[int] = ()) -> Any:
    """Return the value in ``text``, its strings plain, citing only ``segment_ids``. Raises InvalidAnswer.

    The parser accepts raw control characters within strings, since constrained decoding lets some through; they
    are removed afterwards. The schema decides everything else, before and after cleaning.
    """
    return _clean(parse_answer(text), *_cached_validator(json.dumps(schema)), segment_ids)


def parse_answer(text: str) -> Any:
    """Return the value in ``text`` as the model wrote it. Raises InvalidAnswer when there is none."""
    try:
        return json.loads(
            _strip_code_fence(text), strict=False, parse_float=_parse_finite, parse_constant=_parse_finite
        )
    except (ValueError, RecursionError) as error:
        raise InvalidAnswer(f"not JSON: {error}") from error


@lru_cache(maxsize=VALIDATORS_CACHED)
def _cached_validator(schema: str) -> tuple[Validator, frozenset[str]]:
    # Checking a schema against its metaschema takes 7 ms, more than everything else that a request costs here.
    parsed = json.loads(schema)
    return validator_for(parsed), frozenset(_literals(parsed))


def _clean(value: Any, validator: Validator, literals: Collection[str], segment_ids: Collection[int]) -> Any:
    _validate(value, validator)
    for name in (name for node in _nodes(value) for name in node):
        if name not in literals and as_plain_text(name) != name:
            raise InvalidAnswer(f"the name of a field, of {len(name)} characters, is not plain text")
    plain = with_existing_citations(plain_strings(value, literals), segment_ids)
    if plain != value:
        _validate(plain, validator, " (without markup and segments that do not exist)")
    return plain


def _validate(value: Any, validator: Validator, when: str = "") -> None:
    problem = next(iter(validator.iter_errors(value)), None)
    if problem is not None:
        raise InvalidAnswer(f"{problem.json_path}{when}: {_rule(problem)}")


def _rule(problem: jsonschema.ValidationError) -> str:
    """Return the broken rule without the answer's words: logs and events carry it."""
    if problem.validator in {"additionalProperties", "unevaluatedProperties"}:
        return "fields that the schema lacks"
    value = problem.instance
    is_text = isinstance(value, str | list | dict)
    return problem.message.replace(
        repr(value), f"a value of type {type(value).__name__}" if is_text else repr(value)
    )[:200]


def _literals(schema: Any) -> Iterator[str]:
    """Yield the choices and field names that a schema spells out: its author's words, not the model's."""
    for node in _nodes(schema):
        properties = node.get("properties")
        yield from properties if isinstance(properties, dict) else ()
        yield from _strings([node.get("enum"), node.get("const")])


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object within a JSON value."""
    if isinstance(value, dict):
        yield value
    for item in _items(value):
        yield from _nodes(item)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in _items(value):
        yield from _strings(item)


def _items(value: Any) -> Collection[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _parse_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number in JSON")
    return number


def _strip_code_fence(text: str) -> str:
    """Remove the code fence that unconstrained models often put around JSON."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```"):
        return stripped.removesuffix("```").partition("\n")[2]
    return stripped
