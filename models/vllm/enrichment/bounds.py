"""Length bounds in JSON schemas: every answer has some, and they shrink until the longest answer fits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

SCHEMAS_CACHED: Final = 256
STRING_LIMIT_CHARACTERS: Final = 2_000
ARRAY_LIMIT_ITEMS: Final = 64
STRING_MINIMUM_CHARACTERS: Final = 12
_NUMBER_CHARACTERS: Final = 8
_UNKNOWN_CHARACTERS: Final = 200
_NAME_CHARACTERS: Final = 24
_ROUNDS: Final = 24
_REFERENCE_DEPTH: Final = 4
"""Depth to which references are followed: schemas that refer to each other in a ring have very many paths."""
_NAMED_SCHEMAS: Final = ("properties", "patternProperties", "$defs", "definitions")
_SCHEMAS: Final = ("anyOf", "oneOf", "allOf", "prefixItems", "items", "additionalItems", "additionalProperties")
_SCALARS: Final = frozenset({"integer", "number", "boolean", "null"})


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """Tokens for an answer, and tokens per character: within its strings, and around them."""

    tokens: float
    per_string_character: float = 1.0
    per_other_character: float = 1.0


def bound_schema(schema: Mapping[str, Any], budget: TokenBudget | None = None) -> dict[str, Any]:
    """Bound every string, list and open object of a schema, so that the longest answer fits the budget.

    If its keys alone exceed the budget, it becomes as small as possible. Callers must not change the result.
    """
    return _bound(json.dumps(schema), budget)


@lru_cache(maxsize=SCHEMAS_CACHED)
def _bound(text: str, budget: TokenBudget | None) -> dict[str, Any]:
    result: dict[str, Any] = _scale(json.loads(text), 1.0)
    for _ in range(_ROUNDS):
        worst = longest_answer_tokens(result, budget) if budget else 0.0
        if budget is None or worst <= budget.tokens:
            break
        smaller = _scale(result, max(0.3, min(0.9, budget.tokens / worst)))
        if smaller == result:
            break
        result = smaller
    return result


def longest_answer_tokens(schema: Any, budget: TokenBudget) -> float:
    """Return the tokens of the longest answer that the schema admits, without whitespace and escapes.

    What a schema leaves open, such as ``true`` and recursive references, counts as a few words.
    """
    return _LongestAnswers(schema, budget).of(schema, ())


@dataclass(frozen=True, slots=True)
class _LongestAnswers:
    """Tokens of the longest answers to parts of one schema. References lead into ``root``."""

    root: Any
    budget: TokenBudget

    def of(self, schema: Any, within: tuple[str, ...]) -> float:
        """Return the tokens of one part, reached through the references ``within``."""
        other = self.budget.per_other_character
        if not isinstance(schema, dict):
            return other * (_UNKNOWN_CHARACTERS if schema else 0)
        if "enum" in schema or "const" in schema:
            choices = schema.get("enum", [schema.get("const")])
            return other * max((len(json.dumps(value, ensure_ascii=False)) for value in choices), default=0)
        parts = [self.of(part, within) for part in schema.get("allOf", ())]
        parts += [
            max((self.of(option, within) for option in schema[choice]), default=0.0)
            for choice in ("anyOf", "oneOf")
            if choice in schema
        ]
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference not in within and len(within) < _REFERENCE_DEPTH:
            parts.append(self.of(resolve_reference(self.root, reference), (*within, reference)))
        kinds = _kinds(schema)
        if parts and not kinds:
            return sum(parts)
        # Beside a type, choices and conditions mostly restate it, for example which fields go together.
        return max(*(self._of_kind(kind, schema, within) for kind in kinds or ("",)), *parts, 0.0)

    def _of_kind(self, kind: str, schema: Mapping[str, Any], within: tuple[str, ...]) -> float:
        other = self.budget.per_other_character
        if kind == "object":
            fields = schema.get("properties", {})
            open_fields = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
            largest = max(
                (self.of(field, within) for field in open_fields if isinstance(field, dict)), default=0.0
            )
            more = max(int(schema.get("maxProperties", 0)) - len(fields), 0)
            named = sum((len(key) + 4) * other + self.of(value, within) for key, value in fields.items())
            return 2 * other + named + more * ((_NAME_CHARACTERS + 4) * other + largest)
        if kind == "array":
            first = _as_list(schema.get("prefixItems")) or _as_list(schema.get("items"))
            rest = schema.get("additionalItems" if _as_list(schema.get("items")) else "items", True)
            most = int(schema.get("maxItems", ARRAY_LIMIT_ITEMS))
            repeated = self.of(rest, within) + other
            return (
                2 * other
                + sum(self.of(item, within) + other for item in first[:most])
                + max(most - len(first), 0) * repeated
            )
        if kind == "string":
            most = int(schema.get("maxLength", STRING_LIMIT_CHARACTERS))
            return 2 * other + most * self.budget.per_string_character
        return other * (_NUMBER_CHARACTERS if kind in _SCALARS else _UNKNOWN_CHARACTERS)


def resolve_reference(root: Any, reference: str) -> Any:
    """Return the part of a schema that a reference such as ``#/$defs/name`` means. Else raises ValueError."""
    start, *steps = reference.split("/")
    part = root
    for step in steps:
        name = step.replace("~1", "/").replace("~0", "~")
        part = part.get(name) if isinstance(part, dict) else None
    if start != "#" or not isinstance(part, dict | bool):
        raise ValueError(f"$ref {reference!r} does not lead to a part of this schema, such as #/$defs/name")
    return part


def _scale(schema: Any, factor: float) -> Any:
    if isinstance(schema, list):
        return [_scale(part, factor) for part in schema]
    if not isinstance(schema, dict):
        return schema  # true and false are schemas too
    result = dict(schema)
    for group in _NAMED_SCHEMAS:
        if isinstance(schema.get(group), dict):
            result[group] = {key: _scale(value, factor) for key, value in schema[group].items()}
    for key in _SCHEMAS:
        if key in schema:
            result[key] = _scale(schema[key], factor)
    kinds = _kinds(schema)
    if "array" in kinds:
        first = len(_as_list(schema.get("prefixItems")) or _as_list(schema.get("items")))
        most = int(schema.get("maxItems", max(ARRAY_LIMIT_ITEMS, first)))
        least = max(int(schema.get("minItems", 0)), min(max(first, 1), most))
        result["maxItems"] = max(least, int(most * factor))
    if "object" in kinds and _is_open(schema):
        fields = len(schema.get("properties", ()))
        most = int(schema.get("maxProperties", fields + ARRAY_LIMIT_ITEMS))
        least = max(int(schema.get("minProperties", 0)), min(fields + 1, most))
        result["maxProperties"] = max(least, int(most * factor))
    # Servers refuse a length beside a pattern or a format.
    if "string" in kinds and not {"enum", "const", "pattern", "format"} & schema.keys():
        most = int(schema.get("maxLength", STRING_LIMIT_CHARACTERS))
        least = max(int(schema.get("minLength", 0)), min(STRING_MINIMUM_CHARACTERS, most))
        result["maxLength"] = max(least, int(most * factor))
    return result


def _is_open(schema: Mapping[str, Any]) -> bool:
    """Return whether the schema describes fields without stating their number and names."""
    return isinstance(schema.get("additionalProperties"), dict) or bool(schema.get("patternProperties"))


def _kinds(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the types of an answer, if the schema states them or has a keyword that applies to one type."""
    kinds = schema.get("type")
    if kinds is not None:
        return (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if "properties" in schema:
        return ("object",)
    return ("array",) if {"items", "prefixItems"} & schema.keys() else ()


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
