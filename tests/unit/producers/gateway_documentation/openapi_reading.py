"""Reading of the OpenAPI document: operations, answers and schemas with their places."""

from collections.abc import Iterator
from typing import Any, Final

from kascribe.wiring.documentation import openapi

DOCUMENT: Final = openapi()
METHODS: Final = ("get", "put", "post", "delete", "head", "patch")
JSON: Final = "application/json"

Node = dict[str, Any]


def resolved(node: Node) -> Node:
    """Return what a reference refers to; any other node as it is."""
    while "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def operations() -> list[tuple[str, Node]]:
    """Return every operation with its method and path."""
    return [
        (f"{method.upper()} {path}", item[method])
        for path, item in DOCUMENT["paths"].items()
        for method in METHODS
        if method in item
    ]


def answers() -> Iterator[tuple[str, str, Node]]:
    """Yield every answer of every operation: its place, its status, itself."""
    for name, operation in operations():
        for status, answer in operation["responses"].items():
            yield f"{name} {status}", status, resolved(answer)


def contents() -> Iterator[tuple[str, Node]]:
    """Yield every body of requests and answers with its place."""
    for name, operation in operations():
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} {media_type}", content
    for place, _, answer in answers():
        for media_type, content in answer.get("content", {}).items():
            yield f"{place} {media_type}", content


def fields() -> Iterator[tuple[str, Node]]:
    """Yield every field of every schema with its place."""
    for name, schema in DOCUMENT["components"]["schemas"].items():
        yield from _fields(name, schema)
    for place, content in contents():
        yield from _fields(place, content["schema"])


def _fields(place: str, schema: Any) -> Iterator[tuple[str, Node]]:
    if isinstance(schema, list):
        for each in schema:
            yield from _fields(place, each)
    elif isinstance(schema, dict):
        for name, field in schema.get("properties", {}).items():
            yield f"{place}.{name}", field
            yield from _fields(f"{place}.{name}", field)
        for key in ("items", "anyOf", "oneOf", "allOf", "additionalProperties", "contentSchema"):
            yield from _fields(place, schema.get(key))


def examples_of(content: Node) -> list[Any]:
    """Return the examples of a body: its own, or those of its schema."""
    named = [resolved(each)["value"] for each in content.get("examples", {}).values()]
    own = [content["example"]] if "example" in content else []
    schema = resolved(content["schema"])
    return named + own or list(schema.get("examples", ()))
