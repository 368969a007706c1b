"""Nulls in examples: FastAPI drops them from its document, as if a field that is null were absent."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

REFERENCE: Final = "#/components/schemas/{model}"
_EXAMPLES: Final = ("example", "examples")

Document = dict[str, Any]


def restore_nulls(document: Document, app: FastAPI) -> None:
    """Put the nulls back into the examples of routes and of the models of their answers."""
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                _restore_operation(document["paths"][route.path_format][method.lower()], route)
            _restore_schemas(document["components"]["schemas"], route)


def _restore_operation(operation: Document, route: APIRoute) -> None:
    _restore(operation, route.openapi_extra or {})
    for status, declared in route.responses.items():
        _restore(operation["responses"][f"{int(status)}"].get("content", {}), declared.get("content", {}))


def _restore_schemas(schemas: Document, route: APIRoute) -> None:
    models = [route.response_model, *(declared.get("model") for declared in route.responses.values())]
    for model in models:
        if model is not None:
            described = TypeAdapter(model).json_schema(mode="serialization", ref_template=REFERENCE)
            definitions = described.pop("$defs", {})
            for name, schema in {**definitions, described.get("title", ""): described}.items():
                _restore(schemas.get(name, {}), schema)


def _restore(found: Any, declared: Any, *, is_example: bool = False) -> None:
    if isinstance(found, dict) and isinstance(declared, dict):
        for name, value in declared.items():
            if value is None and is_example:
                found.setdefault(name, None)
            elif name in found:
                _restore(found[name], value, is_example=is_example or name in _EXAMPLES)
    elif isinstance(found, list) and isinstance(declared, list):
        for inner, value in zip(found, declared, strict=False):
            _restore(inner, value, is_example=is_example)
