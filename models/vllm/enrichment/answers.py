"""Answers against their schema: parsed leniently, validated strictly, again once markup is gone."""

import json
import math
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import jsonschema
from jsonschema.protocols import Validator

from models.vllm.enrichment.bounds import referenced
from models.vllm.enrichment.cleaning import as_plain_text, plain_strings

CITATION_FIELDS: Final = frozenset({"segment_ids", "segment_id"})
SCHEMAS_KEPT: Final = 256


class InvalidAnswer(Exception):
    """The model's text is not what its schema asks for."""


def validator_for(schema: Mapping[str, Any]) -> Validator:
    """A strict validator. Raises jsonschema.SchemaError for what is no schema, and ValueError for a reference that
    leads out of it or nowhere: nothing is fetched."""
    kind = jsonschema.validators.validator_for(dict(schema), default=jsonschema.Draft202012Validator)
    kind.check_schema(dict(schema))
    for node in _nodes(dict(schema)):
        if isinstance(node.get("$ref"), str):
            referenced(schema, node["$ref"])
    return kind(dict(schema))


def read(text: str, schema: Mapping[str, Any], known: Collection[int] = ()) -> Any:
    """The value in ``text``, its strings plain, its citations among the ``known`` segments. Raises InvalidAnswer.

    Raw control characters within strings pass the parser, since constrained decoding lets some through; they
    are removed afterwards. Everything else is the schema's to decide, and again of what that removal leaves.
    """
    try:
        value = json.loads(_unwrapped(text), strict=False, parse_float=_finite, parse_constant=_finite)
        return _plain(value, *_cached_validator(json.dumps(schema)), known)
    except (ValueError, RecursionError) as error:
        raise InvalidAnswer(f"not JSON: {error}") from error


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
def _cached_validator(schema: str) -> tuple[Validator, frozenset[str]]:
    # Checking a schema against its metaschema costs 7 ms, more than all the rest of a request.
    parsed = json.loads(schema)
    return validator_for(parsed), frozenset(_spelled(parsed))


def _plain(value: Any, validator: Validator, spelled: Collection[str], known: Collection[int]) -> Any:
    _validate(value, validator)
    for name in (name for node in _nodes(value) for name in node):
        if name not in spelled and as_plain_text(name) != name:
            raise InvalidAnswer(f"the name of a field is not plain text: {name[:80]!r}")
    plain = with_existing_citations(plain_strings(value, spelled), known)
    if plain != value:
        _validate(plain, validator, " (without markup and segments that do not exist)")
    return plain


def _validate(value: Any, validator: Validator, when: str = "") -> None:
    problem = next(iter(validator.iter_errors(value)), None)
    if problem is not None:
        raise InvalidAnswer(f"{problem.json_path}{when}: {problem.message[:200]}")


def _spelled(schema: Any) -> Iterator[str]:
    """What a schema itself spells, choices and names of fields: its author's words, not the model's."""
    for node in _nodes(schema):
        properties = node.get("properties")
        yield from properties if isinstance(properties, dict) else ()
        yield from _strings([node.get("enum"), node.get("const")])


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object within a JSON value."""
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


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number in JSON")
    return number


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
