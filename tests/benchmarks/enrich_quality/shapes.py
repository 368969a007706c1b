"""Walks through JSON values, with and without their schema."""

import json
from collections.abc import Iterator
from typing import Any, Final

import jsonschema

CITATION_FIELDS: Final = ("segment_ids", "segment_id")


def parsed(text: str | None) -> Any:
    """Return the value of a raw answer, None where it is no JSON. Raw control characters are accepted."""
    try:
        return json.loads(text or "", strict=False)
    except (ValueError, RecursionError):
        return None


def is_valid(value: Any, schema: dict[str, Any]) -> bool:
    """Return whether a value matches a schema."""
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object within a value."""
    if isinstance(value, dict):
        yield value
    for item in _items(value):
        yield from objects(item)


def strings(value: Any, left_out: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield every string within a value, names of fields and ``left_out`` excepted."""
    if isinstance(value, str) and value not in left_out:
        yield value
    for item in _items(value):
        yield from strings(item, left_out)


def choices(schema: Any) -> frozenset[str]:
    """Return the words that a schema lets the model choose from: they are not the model's own."""
    return frozenset(
        choice for node in objects(schema) for choice in node.get("enum") or () if isinstance(choice, str)
    )


def claims(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object that can cite segments."""
    return (each for each in objects(value) if any(field in each for field in CITATION_FIELDS))


def cited(claim: dict[str, Any]) -> list[int]:
    """Return the segment ids that a claim cites."""
    found = [claim.get(field) for field in CITATION_FIELDS]
    flat = [number for each in found for number in (each if isinstance(each, list) else [each])]
    return [number for number in flat if isinstance(number, int) and not isinstance(number, bool)]


def at_bound(value: Any, schema: Any) -> Iterator[Any]:
    """Yield the strings and lists that are as long as the schema lets them be, where it lets them be shorter.

    Lists of one item are excepted: one is what they are for.
    """
    if not isinstance(schema, dict):
        return
    if isinstance(value, str):
        if len(value) >= schema.get("maxLength", float("inf")):
            yield value
    elif isinstance(value, list):
        if len(value) >= schema.get("maxItems", float("inf")) > max(1, schema.get("minItems", 0)):
            yield value
        for item in value:
            yield from at_bound(item, schema.get("items"))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from at_bound(item, schema.get("properties", {}).get(name))


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
