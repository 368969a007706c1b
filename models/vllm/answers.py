"""Answers against their schema: parsed leniently, validated strictly, their citations checked."""

import json
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import jsonschema
from jsonschema.protocols import Validator

from models.vllm.cleaning import plain_strings

CITATION_FIELDS: Final = frozenset({"segment_ids", "segment_id"})


SCHEMAS_KEPT: Final = 256


class InvalidAnswer(Exception):
    """The model's text is not what its schema asks for."""


def validator_for(schema: Mapping[str, Any]) -> Validator:
    """A strict validator. Raises jsonschema.SchemaError for what is no schema."""
    kind = jsonschema.validators.validator_for(dict(schema), default=jsonschema.Draft202012Validator)
    kind.check_schema(dict(schema))
    return kind(dict(schema))


def read(text: str, schema: Mapping[str, Any]) -> Any:
    """The value in ``text``, its strings plain. Raises InvalidAnswer.

    Raw control characters within strings pass the parser, since constrained decoding lets some through; they
    are removed afterwards. Everything else about the value is the schema's to decide.
    """
    try:
        value = json.loads(_unwrapped(text), strict=False)
    except (ValueError, RecursionError) as error:
        raise InvalidAnswer(f"not JSON: {error}") from error
    problem = next(iter(_cached_validator(json.dumps(schema)).iter_errors(value)), None)
    if problem is not None:
        raise InvalidAnswer(f"{problem.json_path}: {problem.message[:200]}")
    return plain_strings(value)


def with_existing_citations(value: Any, known: Collection[int]) -> Any:
    """The same value; a cited segment that does not exist is taken out of its list, or is None alone."""
    if isinstance(value, list):
        return [with_existing_citations(item, known) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _checked(key, item, known) for key, item in value.items()}


def citations(value: Any) -> Iterator[int]:
    """The segment ids that a value cites, wherever in it, repeated as often as they are cited."""
    if isinstance(value, list):
        for item in value:
            yield from citations(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in CITATION_FIELDS:
                yield from (number for number in (item if isinstance(item, list) else [item]) if _is_id(number))
            else:
                yield from citations(item)


@lru_cache(maxsize=SCHEMAS_KEPT)
def _cached_validator(schema: str) -> Validator:
    # Checking a schema against its metaschema costs 7 ms, more than all the rest of a request.
    return validator_for(json.loads(schema))


def _checked(key: str, item: Any, known: Collection[int]) -> Any:
    if key not in CITATION_FIELDS:
        return with_existing_citations(item, known)
    if isinstance(item, list):
        return list(dict.fromkeys(number for number in item if _is_id(number) and number in known))
    return item if _is_id(item) and item in known else None


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _unwrapped(text: str) -> str:
    """Without the code fence that models which are not constrained like to put around JSON."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```"):
        return stripped.removesuffix("```").partition("\n")[2]
    return stripped
