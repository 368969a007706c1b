"""The OpenAPI 3.1 document of the routes: what FastAPI generates from them, and what all of them share.

Source: OpenAPI specification 3.1.1; JSON Schema 2020-12.
"""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from producers.gateway.documentation.answers import FailureAnswer, OpenAIErrorAnswer
from producers.gateway.documentation.generator_schemas import for_generators
from producers.gateway.documentation.nulls import REFERENCE, restore_nulls
from producers.gateway.documentation.shared import (
    FRAMEWORK_SCHEMAS,
    SCHEMES,
    TRACEPARENT,
    complete,
    shared_responses,
)
from producers.gateway.documentation.tags import TAG_TEXTS
from schemas.options import EnrichOptions, TranscribeOptions

DESCRIPTION: Final = """
Speech to text on Kafka and S3, over HTTP. Failures are `{"success": false, "error": {"reason", "message"}}`, or
OpenAI's error object on its routes; each answer lists the reasons that it may have. A `traceparent` header
continues the caller's trace (W3C Trace Context), and `X-Trace-Id` in every answer names the trace.
"""
_METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})

Document = dict[str, Any]


def add_openapi(app: FastAPI) -> None:
    """Replace the application's document by ``document_of``; built when it is first requested."""

    def openapi() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = document_of(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # how FastAPI's documentation extends the document


def operation_id(route: APIRoute) -> str:
    """Return the name of an operation in generated clients: that of the route's function, in ``snake_case``."""
    return route.name


def document_of(app: FastAPI) -> Document:
    """Return the document of an application's routes. The same routes give the same document."""
    document = get_openapi(
        title="Kascribe",
        version=version("kascribe"),
        description=DESCRIPTION.strip(),
        routes=app.routes,
        tags=[{"name": tag.value, "description": text} for tag, text in TAG_TEXTS.items()],
        servers=[{"url": "/", "description": "The gateway that serves this document."}],
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    document.setdefault("components", {}).setdefault("schemas", {})
    restore_nulls(document, app)
    for operation in operations(document):
        complete(operation)
    document["components"] = {
        **document["components"],
        "schemas": _schemas(document["components"]["schemas"]),
        "responses": shared_responses(),
        "parameters": {"traceparent": TRACEPARENT},
        "securitySchemes": SCHEMES,
    }
    return document


def operations(document: Document) -> Iterator[Document]:
    """Yield every operation of a document."""
    for path in document["paths"].values():
        yield from (operation for method, operation in path.items() if method in _METHODS)


def _schemas(generated: Document) -> Document:
    """Return the schemas that FastAPI found, with those of the shared failures and without its own."""
    found = {name: schema for name, schema in generated.items() if name not in FRAMEWORK_SCHEMAS}
    for model in (TranscribeOptions, EnrichOptions):
        found |= {name: _closed(schema) for name, schema in _definitions(model).items()}
    for answer in (FailureAnswer, OpenAIErrorAnswer):
        found |= _definitions(answer)
    return {name: for_generators(schema) for name, schema in sorted(found.items())}


def _closed(schema: Document) -> Document:
    """Return the schema of a set of options, in which an unknown name is refused."""
    return {**schema, "additionalProperties": False} if "properties" in schema else schema


def _definitions(model: type[BaseModel]) -> Document:
    described = model.model_json_schema(ref_template=REFERENCE)
    return {**described.pop("$defs", {}), model.__name__: described}
