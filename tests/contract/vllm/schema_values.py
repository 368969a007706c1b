"""Random values that a JSON schema admits, as a constrained model without knowledge would answer."""

import random
from collections.abc import Mapping
from typing import Any

WORDS = ["spring", "river", "letter", "number", "window", "garden", "answer", "market"]


def value_of(schema: Mapping[str, Any], source: random.Random) -> Any:
    """Return one value. Supports the keywords that profiles use."""
    if "enum" in schema:
        return source.choice(schema["enum"])
    kinds = schema.get("type")
    kind = source.choice(kinds) if isinstance(kinds, list) else kinds
    if kind == "object":
        return {name: value_of(inner, source) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        most = min(int(schema.get("maxItems", 3)), 3)
        return [value_of(schema["items"], source) for _ in range(source.randint(min(1, most), most))]
    if kind == "string":
        words = " ".join(source.choices(WORDS, k=source.randint(3, 6)))
        return words[: int(schema.get("maxLength", 100))]
    if kind == "integer":
        return source.randint(0, 20)
    if kind == "number":
        return source.random()
    return source.random() < 0.5 if kind == "boolean" else None
