"""Parts of JSON schemas: where they nest, and which kinds of values they admit."""

from collections.abc import Mapping
from typing import Any, Final

NAMED_SCHEMAS: Final = ("properties", "patternProperties", "$defs", "definitions")
"""Keywords that hold schemas by name."""
SCHEMAS: Final = ("anyOf", "oneOf", "allOf", "prefixItems", "items", "additionalItems", "additionalProperties")
"""Keywords that hold a schema or a list of them."""
NUMBERS: Final = ("integer", "number")


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


def kinds_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the types of an answer, if the schema states them or has a keyword that applies to one type."""
    kinds = schema.get("type")
    if kinds is not None:
        return (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if "properties" in schema:
        return ("object",)
    return ("array",) if {"items", "prefixItems"} & schema.keys() else ()


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, and an empty one for anything else."""
    return value if isinstance(value, list) else []
