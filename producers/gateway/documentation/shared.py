"""What all operations share: their common failures, the trace, the ways to name a key."""

from typing import Any, Final

from pydantic import BaseModel

from producers.gateway.access.sessions import SESSION_COOKIE
from producers.gateway.documentation.generator_schemas import for_parameters
from producers.gateway.documentation.reasons import EVERYWHERE_REASONS, KEY_REASONS
from producers.gateway.documentation.responses import failures, openai_failures
from producers.gateway.documentation.tags import Tag
from producers.gateway.monitoring.tracing import TRACE_ID_HEADER

TRACE_ID: Final = {
    TRACE_ID_HEADER: {
        "description": "The trace that the request belongs to, for the log and the support.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "example": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
}
TRACEPARENT: Final = {
    "name": "traceparent",
    "in": "header",
    "required": False,
    "description": "The caller's trace, which the job's events continue (W3C Trace Context).",
    "schema": {"type": "string"},
    "example": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}
SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`kascribe keys add`), as OpenAI's clients send it.",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same key, in a header."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "The same key, from `POST /v1/session`: for requests of the gateway's own pages.",
    },
}
FRAMEWORK_SCHEMAS: Final = ("HTTPValidationError", "ValidationError")
"""Bodies that the framework would answer with; the gateway has its own."""

_JSON: Final = "application/json"

Operation = dict[str, Any]


def shared_responses() -> dict[str, Operation]:
    """Return the failures that operations share, by name, for the components of the document."""
    found: dict[str, Operation] = {}
    for is_openai in (False, True):
        for has_keys in (False, True):
            for status, answer in _shared(is_openai=is_openai, has_keys=has_keys).items():
                name = _name(status, is_openai=is_openai, has_keys=has_keys)
                found[name] = _with_trace(_with_schema(answer))
    return found


def complete(operation: Operation) -> None:
    """Add to an operation what it shares with the others. The reasons that a route declares itself come first."""
    tags = operation.get("tags", ())
    kind = {"is_openai": Tag.OPENAI in tags, "has_keys": Tag.OPERATION not in tags}
    answers = operation["responses"]
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = for_parameters(parameter["schema"])
    if kind["has_keys"]:
        operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/traceparent"})
    if _is_of_framework(answers.get("422", {})):
        declare = openai_failures if kind["is_openai"] else failures
        answers["422"] = _with_schema(declare("invalid_request")[422])
    for answer in answers.values():
        _with_trace(answer)
    for status, answer in _shared(**kind).items():
        declared = answers.get(f"{status}")
        name = _name(status, **kind)
        answers[f"{status}"] = (
            _joined(declared, answer) if declared else {"$ref": f"#/components/responses/{name}"}
        )
    operation["responses"] = dict(sorted(answers.items()))
    # No key: where none are in use, and for health.
    operation["security"] = [{name: []} for name in SCHEMES] + [{}] if kind["has_keys"] else [{}]


def _shared(*, is_openai: bool, has_keys: bool) -> dict[int, Operation]:
    reasons = (*EVERYWHERE_REASONS, *(KEY_REASONS if has_keys else ()))
    declared = openai_failures(*reasons) if is_openai else failures(*reasons)
    return {int(status): answer for status, answer in declared.items()}


def _name(status: int, *, is_openai: bool, has_keys: bool) -> str:
    return f"{'OpenAI' if is_openai else ''}{'' if has_keys else 'Public'}Failure{status}"


def _with_trace(answer: Operation) -> Operation:
    answer["headers"] = {**TRACE_ID, **answer.get("headers", {})}
    return answer


def _with_schema(answer: Operation) -> Operation:
    model: type[BaseModel] = answer.pop("model")
    answer["content"][_JSON]["schema"] = {"$ref": f"#/components/schemas/{model.__name__}"}
    return answer


def _is_of_framework(answer: Operation) -> bool:
    schema = answer.get("content", {}).get(_JSON, {}).get("schema", {})
    return str(schema.get("$ref", "")).endswith(FRAMEWORK_SCHEMAS)


def _joined(declared: Operation, shared: Operation) -> Operation:
    """Return an answer that a route declared, with the reasons that all routes share."""
    examples = declared["content"][_JSON].setdefault("examples", {})
    further = {name: value for name, value in shared["content"][_JSON]["examples"].items() if name not in examples}
    lines = declared["description"].splitlines()
    lines += [line for line in shared["description"].splitlines() if line not in lines]
    declared["description"] = "\n".join(lines)
    declared["content"][_JSON]["examples"] = examples | further
    declared["headers"] = {**shared.get("headers", {}), **declared.get("headers", {})}
    return declared
