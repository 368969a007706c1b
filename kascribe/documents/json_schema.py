"""Models as JSON Schema that code generators of other languages accept.

Measured with generators for TypeScript, Java, Go and Python: ``anyOf`` with null costs Java the field, a title on
a property makes a type of it, and a default that is an object or a list does not compile in Go. So a value that
may be absent is ``["string", "null"]``, or a reference that is not required, and only scalars have defaults.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from schemas.options import EnrichOptions
from schemas.options.types import Options, VadParameters

REFERENCE: Final = "#/$defs/{model}"
SENT_SUFFIX: Final = "Sent"
"""Suffix of a model that is both read and written, where the two differ: what Kascribe reads keeps the name."""

Schemas = dict[str, dict[str, Any]]


class _Generator(GenerateJsonSchema):
    """Pydantic's generator with the changes that the module describes."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        kind = inner.get("type")
        return {**inner, "type": [kind, "null"]} if isinstance(kind, str) else inner

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner = super().default_schema(schema)
        if inner.get("default") is None or isinstance(inner["default"], dict | list):
            inner.pop("default", None)
        return inner

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        if self.mode == "validation":
            return super().field_is_required(field, total)
        inner = field["schema"]
        return not (inner["type"] == "default" and inner["schema"]["type"] == "nullable")


class _RequestGenerator(_Generator):
    """Schemas of what callers write: option sets are closed (see ``schemas.kafka.wire``); null leaves one out.

    The definition says so, since a reference has no attributes beside it.
    """

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        described = super().model_schema(schema)
        if issubclass(schema["cls"], Options):
            described["additionalProperties"] = False
        if schema["cls"] in (EnrichOptions, VadParameters):
            described["type"] = ["object", "null"]
        return described


def schemas_of(
    requests: Iterable[type[BaseModel]], sent: Iterable[type[BaseModel]], *, reference: str = REFERENCE
) -> Schemas:
    """Return every model and those it refers to, by name: ``requests`` as others write them, ``sent`` as we do.

    Sent events have all fields but those that may have no value; callers may leave out every field with a default.
    """
    ours = _definitions(sent, "serialization", _Generator, reference)
    theirs = _definitions(requests, "validation", _RequestGenerator, reference)
    differing = {name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]}
    renamed = {
        reference.format(model=name): reference.format(model=name + SENT_SUFFIX) for name in sorted(differing)
    }
    ours = {
        renamed_to: {**_with_references(schema, renamed), "title": renamed_to}
        for name, schema in ours.items()
        for renamed_to in [name + SENT_SUFFIX if name in differing else name]
    }
    return dict(sorted((theirs | ours).items()))


def alone(name: str, schemas: Schemas) -> dict[str, Any]:
    """Return one schema as a document of its own, with the schemas it refers to in ``$defs``."""
    needed = sorted(_needed(schemas[name], schemas))
    return {**schemas[name], **({"$defs": {each: schemas[each] for each in needed}} if needed else {})}


def _definitions(
    models: Iterable[type[BaseModel]], mode: Any, generator: type[GenerateJsonSchema], reference: str
) -> Schemas:
    _, found = models_json_schema(
        [(model, mode) for model in models], ref_template=reference, schema_generator=generator
    )
    definitions: Schemas = _with_lone_references(found.get("$defs", {}))
    return definitions


def _with_lone_references(node: Any) -> Any:
    # A description or default beside a reference is another type to generators, under a name with a number.
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            return {"$ref": node["$ref"]}
        return {name: _with_lone_references(value) for name, value in node.items()}
    return [_with_lone_references(each) for each in node] if isinstance(node, list) else node


def _with_references(node: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            name: renamed.get(value, value) if name == "$ref" else _with_references(value, renamed)
            for name, value in node.items()
        }
    return [_with_references(each, renamed) for each in node] if isinstance(node, list) else node


def _needed(node: Any, schemas: Schemas, known: frozenset[str] = frozenset()) -> set[str]:
    found: set[str] = set()
    for reference in references(node):
        name = reference.rsplit("/", 1)[-1]
        if name not in known | found:
            found |= {name} | _needed(schemas[name], schemas, known | found | {name})
    return found


def references(node: Any) -> Iterator[str]:
    """Yield every ``$ref`` within a schema."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)
