"""Parts of an answer, each with the schema that describes it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from models.vllm.answers.citations import CITATION_FIELDS
from models.vllm.answers.schema_parts import as_list, resolve_reference

ENDS: Final = frozenset(".!?…。！？」』”\"')）]")
"""Characters after which a sentence is complete."""
NEAR_CHARACTERS: Final = 4
"""A model that may write only a few characters more ends its string: the last token that fits is a rare one."""
DEPTH_LIMIT: Final = 32


def described_parts(
    value: Any, schema: Any, root: Mapping[str, Any], depth: int = 0
) -> Iterator[tuple[Any, Mapping[str, Any], str]]:
    """Yield each string and list of an answer with what the schema says of it, and the name of its field."""
    yield from _parts(value, schema, root, "", depth)


def reaches_a_bound(value: Any, schema: Mapping[str, Any]) -> bool:
    """Return whether a string or list of an answer ends at a bound of the schema that was sent.

    Lists of citations do not count, and neither do bounds that leave no choice, such as one item exactly.
    """
    return any(
        field not in CITATION_FIELDS and _is_at_bound(part, described)
        for part, described, field in described_parts(value, schema, schema)
    )


def _is_at_bound(part: Any, described: Mapping[str, Any]) -> bool:
    if isinstance(part, list):
        most = described.get("maxItems")
        return most is not None and len(part) >= most > described.get("minItems", 0)
    most = described.get("maxLength")
    if most is None or most <= described.get("minLength", 0):
        return False
    return len(part) >= most or (len(part) >= most - NEAR_CHARACTERS > 0 and part.rstrip()[-1:] not in ENDS)


def _parts(
    value: Any, schema: Any, root: Mapping[str, Any], field: str, depth: int
) -> Iterator[tuple[Any, Mapping[str, Any], str]]:
    if not isinstance(schema, dict) or depth > DEPTH_LIMIT or "enum" in schema or "const" in schema:
        return
    if isinstance(value, str | list):
        yield value, schema, field
    for name, item, part in _inner(value, schema):
        yield from _parts(item, part, root, name or field, depth + 1)
    others = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    if isinstance(schema.get("$ref"), str):
        others.append(resolve_reference(root, schema["$ref"]))
    for other in others:
        yield from _parts(value, other, root, field, depth + 1)


def _inner(value: Any, schema: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield field name, value and schema of what an object or a list holds."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield name, item, schema.get("properties", {}).get(name, schema.get("additionalProperties"))
    elif isinstance(value, list):
        first = as_list(schema.get("prefixItems")) or as_list(schema.get("items"))
        rest = schema.get("additionalItems" if as_list(schema.get("items")) else "items")
        for index, item in enumerate(value):
            yield "", item, first[index] if index < len(first) else rest
