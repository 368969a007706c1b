"""JSON Schemas as tables for people: a row per field, with its type, its limits and its meaning."""

import json
from collections.abc import Mapping
from typing import Any, Final

from kascribe.documents.html import Html, code, joined, link, table

_LIMITS: Final[Mapping[str, str]] = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "pattern {}",
    "default": "default {}",
    "format": "{}",
    "x-kafka-encoding": "written as {}",
}


def schema_table(schema: Mapping[str, Any]) -> Html:
    """Return the table of an object's fields."""
    required = set(schema.get("required", ()))
    rows = [
        (
            code(name),
            kind_of(field),
            "yes" if name in required else "",
            joined((field.get("description", ""), " " if field.get("description") else "", limits_of(field))),
        )
        for name, field in schema["properties"].items()
    ]
    return table(("field", "type", "always there", "meaning"), rows)


def kind_of(field: Mapping[str, Any]) -> Html:
    """Return the type of a field; a reference is a link to its schema."""
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return link(f"#schema-{name}", name)
    if "const" in field:
        return code(json.dumps(field["const"], ensure_ascii=False))
    if "enum" in field:
        return joined(_between([code(str(value)) for value in field["enum"]], ", "))
    for word in ("anyOf", "oneOf", "allOf"):
        if word in field:
            return joined(_between([kind_of(each) for each in field[word]], " or "))
    kinds = field.get("type", "any")
    names = [_named(kind, field) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    return joined(_between(names, " or "))


def limits_of(field: Mapping[str, Any]) -> Html:
    """Return the limits of a field's values, in words; empty where there are none."""
    found = [joined(_limit(sentence, field[name])) for name, sentence in _LIMITS.items() if name in field]
    return joined(("(", *_between(found, ", "), ")")) if found else Html("")


def _limit(sentence: str, value: object) -> list[str | Html]:
    before, after = sentence.split("{}")
    return [before, code(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)), after]


def _named(kind: str, field: Mapping[str, Any]) -> Html:
    if kind == "array" and "items" in field:
        return joined(("list of ", kind_of(field["items"])))
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return joined(("object of ", kind_of(field["additionalProperties"])))
    return joined((kind,))


def _between(pieces: list[Any], separator: str) -> list[str | Html]:
    found: list[str | Html] = []
    for piece in pieces:
        found += [separator, piece] if found else [piece]
    return found
