"""Bounds in JSON schemas: every string, list, open object and number has some, so that no answer is endless.

They come in coarse steps. A server compiles each schema that it has not seen, which takes seconds for long strings
(xgrammar 0.2: 1.9 s for ``maxLength`` 300); with a schema of its own, each transcript would pay that.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from models.vllm.answers.citations import CITATION_FIELDS
from models.vllm.answers.lengths import (
    ARRAY_LIMIT_ITEMS,
    DIGITS_LIMIT,
    STRING_LIMIT_CHARACTERS,
    TokenBudget,
    is_number,
    longest_answer_tokens,
)
from models.vllm.answers.schema_parts import NAMED_SCHEMAS, NUMBERS, SCHEMAS, as_list, kinds_of

SCHEMAS_CACHED: Final = 256
STRING_MINIMUM_CHARACTERS: Final = 12
STEP: Final = 2 / 3
"""Each step of the bounds is this share of the one before."""
STEPS: Final = 18
"""Steps at most: the last one is less than a thousandth of the schema's own bounds."""


def bound_schema(
    schema: Mapping[str, Any], budget: TokenBudget | None = None, *, last_segment_id: int | None = None
) -> dict[str, Any]:
    """Bound every string, list, number and open object of a schema, so that the longest answer fits the budget.

    Cited segments lie between 0 and ``last_segment_id``, rounded up to nines. If the keys of the schema alone
    exceed the budget, it becomes as small as possible. Callers must not change the result.
    """
    text = json.dumps(schema)
    id_limit = None if last_segment_id is None else nines_from(last_segment_id)
    step = 0
    bounded = _bound(text, step, id_limit)
    while budget and step < STEPS and longest_answer_tokens(bounded, budget) > budget.tokens:
        step += 1
        bounded = _bound(text, step, id_limit)
    return bounded


def nines_from(number: int) -> int:
    """Return the smallest of 9, 99, 999 and so on that is not below a number."""
    return int("9" * len(str(max(number, 0))))


@lru_cache(maxsize=SCHEMAS_CACHED)
def _bound(text: str, step: int, id_limit: int | None) -> dict[str, Any]:
    bounded: dict[str, Any] = _Bounds(STEP**step, id_limit).of(json.loads(text))
    return bounded


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Bounds that are ``factor`` of those that a schema states, or of our own where it states none."""

    factor: float
    id_limit: int | None

    def of(self, schema: Any, field: str = "") -> Any:
        """Return one part with its bounds; ``field`` is the name of the field that it describes."""
        if isinstance(schema, list):
            return [self.of(part, field) for part in schema]
        if not isinstance(schema, dict):
            return schema  # true and false are schemas too
        result = dict(schema)
        for group in NAMED_SCHEMAS:
            if isinstance(schema.get(group), dict):
                result[group] = {key: self.of(value, key) for key, value in schema[group].items()}
        for key in SCHEMAS:
            if key in schema:
                result[key] = self.of(schema[key], field)
        if not {"enum", "const"} & schema.keys():
            for kind in kinds_of(schema):
                result |= self._of_kind(kind, schema, field)
        return result

    def _of_kind(self, kind: str, schema: Mapping[str, Any], field: str) -> dict[str, Any]:
        """Return the bounds for values of one kind, by their keywords."""
        if kind == "array":
            first = len(as_list(schema.get("prefixItems")) or as_list(schema.get("items")))
            most = int(schema.get("maxItems", max(ARRAY_LIMIT_ITEMS, first)))
            least = max(int(schema.get("minItems", 0)), min(max(first, 1), most))
            return {"maxItems": self._scale(most, least)}
        if kind == "object" and _is_open(schema):
            fields = len(schema.get("properties", ()))
            most = int(schema.get("maxProperties", fields + ARRAY_LIMIT_ITEMS))
            least = max(int(schema.get("minProperties", 0)), min(fields + 1, most))
            return {"maxProperties": self._scale(most, least)}
        # Servers refuse a length beside a pattern or a format.
        if kind == "string" and not {"pattern", "format"} & schema.keys():
            most = int(schema.get("maxLength", STRING_LIMIT_CHARACTERS))
            least = max(int(schema.get("minLength", 0)), min(STRING_MINIMUM_CHARACTERS, most))
            return {"maxLength": self._scale(most, least)}
        return self._of_number(schema, field) if kind in NUMBERS else {}

    def _of_number(self, schema: Mapping[str, Any], field: str) -> dict[str, Any]:
        """Return the limits that a schema lacks: constrained decoding without them admits digits without end."""
        ids = self.id_limit if field in CITATION_FIELDS else None
        lows = [low for low in map(schema.get, ("minimum", "exclusiveMinimum")) if is_number(low)]
        highs = [high for high in map(schema.get, ("maximum", "exclusiveMaximum")) if is_number(high)]
        missing: dict[str, Any] = {}
        if not lows:
            missing["minimum"] = -_nines_beyond(-high for high in highs)
            if ids is not None and all(high >= 0 for high in highs):
                missing["minimum"] = 0
        if not highs:
            missing["maximum"] = _nines_beyond(lows)
            if ids is not None and all(low < ids for low in lows):
                missing["maximum"] = ids
        return missing

    def _scale(self, most: int, least: int) -> int:
        return max(least, int(most * self.factor))


def _nines_beyond(limits: Iterable[float]) -> int:
    """Return the limit of numbers that have none, or a larger one if the limit on the other side demands it."""
    return max([10**DIGITS_LIMIT - 1, *(nines_from(int(limit) + 1) for limit in limits)])


def _is_open(schema: Mapping[str, Any]) -> bool:
    """Return whether the schema describes fields without stating their number and names."""
    return isinstance(schema.get("additionalProperties"), dict) or bool(schema.get("patternProperties"))
