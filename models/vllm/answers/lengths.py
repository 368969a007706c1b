"""Length of the longest answer that a JSON schema admits, in tokens."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from models.vllm.answers.schema_parts import NUMBERS, as_list, kinds_of, resolve_reference

STRING_LIMIT_CHARACTERS: Final = 2_000
ARRAY_LIMIT_ITEMS: Final = 64
DIGITS_LIMIT: Final = 15
"""Digits of a number without a limit in its schema: every JSON parser keeps them exactly."""
DECIMALS_LIMIT: Final = 6
"""Digits after the point that xgrammar 0.2 admits between two limits. llguidance 1.7 limits them nowhere."""
_WORD_CHARACTERS: Final = 5
"""``false``; ``true`` and ``null`` are shorter."""
_UNKNOWN_CHARACTERS: Final = 200
_NAME_CHARACTERS: Final = 24
_REFERENCE_DEPTH: Final = 4
"""Depth to which references are followed: schemas that refer to each other in a ring have very many paths."""


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """Tokens for an answer, and tokens per character: within its strings, and around them."""

    tokens: float
    per_string_character: float = 1.0
    per_other_character: float = 1.0


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
        kinds = kinds_of(schema)
        if parts and not kinds:
            return sum(parts)
        # Beside a type, choices and conditions mostly restate it, for example which fields go together.
        return max(*(self._of_kind(kind, schema, within) for kind in kinds or ("",)), *parts, 0.0)

    def _of_kind(self, kind: str, schema: Mapping[str, Any], within: tuple[str, ...]) -> float:
        other = self.budget.per_other_character
        if kind == "object":
            return self._of_object(schema, within)
        if kind == "array":
            return self._of_list(schema, within)
        if kind == "string":
            most = int(schema.get("maxLength", STRING_LIMIT_CHARACTERS))
            return 2 * other + most * self.budget.per_string_character
        if kind in NUMBERS:
            return other * _number_characters(kind, schema)
        return other * (_WORD_CHARACTERS if kind in ("boolean", "null") else _UNKNOWN_CHARACTERS)

    def _of_object(self, schema: Mapping[str, Any], within: tuple[str, ...]) -> float:
        other = self.budget.per_other_character
        fields = schema.get("properties", {})
        open_fields = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
        largest = max((self.of(field, within) for field in open_fields if isinstance(field, dict)), default=0.0)
        more = max(int(schema.get("maxProperties", 0)) - len(fields), 0)
        named = sum((len(key) + 4) * other + self.of(value, within) for key, value in fields.items())
        return 2 * other + named + more * ((_NAME_CHARACTERS + 4) * other + largest)

    def _of_list(self, schema: Mapping[str, Any], within: tuple[str, ...]) -> float:
        other = self.budget.per_other_character
        first = as_list(schema.get("prefixItems")) or as_list(schema.get("items"))
        rest = schema.get("additionalItems" if as_list(schema.get("items")) else "items", True)
        most = int(schema.get("maxItems", ARRAY_LIMIT_ITEMS))
        repeated = self.of(rest, within) + other
        listed = sum(self.of(item, within) + other for item in first[:most])
        return 2 * other + listed + max(most - len(first), 0) * repeated


def _number_characters(kind: str, schema: Mapping[str, Any]) -> int:
    """Return the characters of the longest number within the limits that a schema states."""
    named = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    limits = [limit for limit in map(schema.get, named) if is_number(limit)]
    digits = max([len(str(abs(int(limit)))) for limit in limits], default=DIGITS_LIMIT)
    may_be_negative = not any(is_number(low) and low >= 0 for low in map(schema.get, named[::2]))
    return digits + may_be_negative + (1 + DECIMALS_LIMIT if kind == "number" else 0)


def longest_string_characters(schema: Any) -> int:
    """Return the largest ``maxLength`` within a schema; 0 without any."""
    if isinstance(schema, list):
        return max(map(longest_string_characters, schema), default=0)
    if not isinstance(schema, dict):
        return 0
    own = schema.get("maxLength")
    return max([own if isinstance(own, int) else 0, *map(longest_string_characters, schema.values())])


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
