"""Length bounds in JSON schemas: every answer has some, and they shrink to what the completion may hold."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

SCHEMAS_KEPT: Final = 256
STRING_LIMIT_CHARACTERS: Final = 2_000
ARRAY_LIMIT_ITEMS: Final = 64
STRING_MINIMUM_CHARACTERS: Final = 12
_NUMBER_CHARACTERS: Final = 8
_UNKNOWN_CHARACTERS: Final = 200
_ROUNDS: Final = 24


@dataclass(frozen=True, slots=True)
class Room:
    """Tokens for an answer, and what its characters cost: those of its strings, and those around them."""

    tokens: float
    per_string_character: float = 1.0
    per_other_character: float = 1.0


def bounded(schema: Mapping[str, Any], room: Room | None = None) -> dict[str, Any]:
    """The schema with a bound on every string and list; the longest answer fits the room.

    A schema whose keys alone are longer is returned as small as it gets. Not to be changed by the caller.
    """
    return _bounded(json.dumps(schema), room)


@lru_cache(maxsize=SCHEMAS_KEPT)
def _bounded(text: str, room: Room | None) -> dict[str, Any]:
    schema = json.loads(text)
    result = _scaled(schema, 1.0)
    for _ in range(_ROUNDS):
        worst = longest(result, room) if room else 0.0
        if room is None or worst <= room.tokens:
            break
        smaller = _scaled(result, max(0.3, min(0.9, room.tokens / worst)))
        if smaller == result:
            break
        result = smaller
    return result


def longest(schema: Mapping[str, Any], room: Room) -> float:
    """The tokens of the longest answer that the schema admits, without whitespace and escapes."""
    other = room.per_other_character
    if "enum" in schema or "const" in schema:
        return other * max(len(str(value)) + 2 for value in schema.get("enum", [schema.get("const")]))
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return max(longest(option, room) for option in schema[choice])
    kinds = schema.get("type")
    kind = kinds if isinstance(kinds, str) else next((k for k in kinds or () if k != "null"), None)
    if kind == "object":
        fields = schema.get("properties", {}).items()
        return 2 * other + sum((len(key) + 4) * other + longest(value, room) for key, value in fields)
    if kind == "array":
        items = int(schema.get("maxItems", ARRAY_LIMIT_ITEMS))
        return 2 * other + items * (longest(schema.get("items", {}), room) + other)
    if kind == "string":
        most = int(schema.get("maxLength", STRING_LIMIT_CHARACTERS))
        return 2 * other + most * room.per_string_character
    known = kind in ("integer", "number", "boolean", "null")
    return other * (_NUMBER_CHARACTERS if known else _UNKNOWN_CHARACTERS)


def _scaled(schema: Mapping[str, Any], factor: float) -> dict[str, Any]:
    result = dict(schema)
    for group in ("properties", "$defs"):
        if group in schema:
            result[group] = {key: _scaled(value, factor) for key, value in schema[group].items()}
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            result[choice] = [_scaled(option, factor) for option in schema[choice]]
    if "items" in schema:
        result["items"] = _scaled(schema["items"], factor)
        most = int(schema.get("maxItems", ARRAY_LIMIT_ITEMS))
        result["maxItems"] = max(int(schema.get("minItems", 0)), 1, int(most * factor))
    if "string" in (schema.get("type"), *_kinds(schema)) and not {"enum", "const", "pattern"} & schema.keys():
        most = int(schema.get("maxLength", STRING_LIMIT_CHARACTERS))
        least = max(int(schema.get("minLength", 0)), min(STRING_MINIMUM_CHARACTERS, most))
        result["maxLength"] = max(least, int(most * factor))
    return result


def _kinds(schema: Mapping[str, Any]) -> tuple[str, ...]:
    kinds = schema.get("type")
    return tuple(kinds) if isinstance(kinds, list) else ()
