"""What routes declare their answers with: ``responses=`` of a route, by status.

::

    @app.get(
        "/v1/jobs/{job_id}",
        tags=[Tag.JOBS],
        summary="Read the state of a job",
        response_model=JobStateAnswer,
        responses=failures("job_not_found", Reason.DEPENDENCY_DOWN),
    )

The failures that every route may answer (``internal_error``, and those of keys and limits) are added to the
document by ``documentation.openapi``.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel

from producers.gateway.documentation.answers import FailureAnswer, LateAnswer, OpenAIErrorAnswer
from producers.gateway.documentation.generator_schemas import inlined
from producers.gateway.documentation.reasons import HTTP_REASONS
from producers.gateway.openai.error_object import error_object, openai_status

Responses = dict[int | str, dict[str, Any]]

SUBTITLES_EXAMPLE: Final = "1\n00:00:00,000 --> 00:00:01,500\none two three\n"
RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds to wait before the request is sent again.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 5,
    }
}
CHALLENGE: Final = {
    "WWW-Authenticate": {
        "description": "How to name an API key (RFC 6750, section 3).",
        "schema": {"type": "string"},
        "example": 'Bearer realm="kascribe"',
    }
}
_HEADERS: Final[Mapping[HTTPStatus, dict[str, Any]]] = {
    HTTPStatus.UNAUTHORIZED: CHALLENGE,
    HTTPStatus.TOO_MANY_REQUESTS: RETRY_AFTER,
    HTTPStatus.SERVICE_UNAVAILABLE: RETRY_AFTER,
}


def failures(*reasons: str) -> Responses:
    """Return the answers of a route that fails for these reasons, grouped by status.

    Raises KeyError for a reason without an entry in ``documentation.reasons``.
    """
    return {status: _failure(status, reasons_of) for status, reasons_of in _by_status(reasons).items()}


def openai_failures(*reasons: str) -> Responses:
    """Return the same answers in the shape of OpenAI's error object."""
    return {
        status: _described(
            status, reasons_of, OpenAIErrorAnswer, {name: _openai_example(name) for name in reasons_of}
        )
        for status, reasons_of in _by_status(reasons, status_of=_openai_status).items()
    }


def content(media_type: str, *, example: str | None = None, binary: bool = False) -> dict[str, Any]:
    """Return the ``content`` of a body that is not JSON: text with an example, or bytes."""
    schema = {"type": "string", "format": "binary"} if binary else {"type": "string"}
    return {media_type: {"schema": schema, **({} if example is None else {"example": example})}}


def event_stream(example: str, *data: type[BaseModel]) -> dict[str, Any]:
    """Return the ``content`` of a stream of server-sent events; ``example`` is a few of them as they are sent.

    The schema describes each event, as is usual before OpenAPI 3.2 and its ``itemSchema``; ``data`` are the models
    of what an event carries.
    """
    kinds = [inlined(model) for model in data]
    carried = {"contentSchema": kinds[0] if len(kinds) == 1 else {"anyOf": kinds}} if kinds else {}
    event = {
        "type": "object",
        "description": "One event of the stream (WHATWG HTML, 9.2). Lines that begin with a colon keep it open.",
        "properties": {
            "id": {"type": "string", "description": "What `Last-Event-ID` resumes after."},
            "event": {"type": "string", "description": "The name of the event."},
            "data": {
                "type": "string",
                "description": "One object in JSON.",
                "contentMediaType": "application/json",
                **carried,
            },
            "retry": {"type": "integer", "description": "Milliseconds after which a client connects again."},
        },
    }
    return {"text/event-stream": {"schema": event, "example": example}}


def merged(*all_responses: Mapping[int | str, dict[str, Any]]) -> Responses:
    """Return answers declared in several places as one; statuses must differ."""
    found: Responses = {}
    for responses in all_responses:
        if twice := found.keys() & responses.keys():
            raise ValueError(f"the answers {sorted(map(str, twice))} are declared twice")
        found |= responses
    return found


def _status(reason: str) -> HTTPStatus:
    return HTTP_REASONS[reason].status


def _openai_status(reason: str) -> HTTPStatus:
    return openai_status(reason, _status(reason))


def _by_status(
    reasons: tuple[str, ...], *, status_of: Callable[[str], HTTPStatus] = _status
) -> dict[HTTPStatus, list[str]]:
    grouped: dict[HTTPStatus, list[str]] = {}
    for reason in dict.fromkeys(map(str, reasons)):
        grouped.setdefault(status_of(reason), []).append(reason)
    return dict(sorted(grouped.items()))


def _failure(status: HTTPStatus, reasons: list[str]) -> dict[str, Any]:
    late = status is HTTPStatus.GATEWAY_TIMEOUT
    named = {"job_id": "j" * 32, "idempotency_key": "call-1"} if late else {}
    examples = {
        name: {"success": False, **named, "error": {"reason": name, "message": HTTP_REASONS[name].meaning}}
        for name in reasons
    }
    return _described(status, reasons, LateAnswer if late else FailureAnswer, examples)


def _openai_example(reason: str) -> dict[str, Any]:
    status, meaning = HTTP_REASONS[reason]
    return error_object(status, reason, meaning)


def _described(
    status: HTTPStatus, reasons: list[str], model: type[BaseModel], examples: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "model": model,
        "description": "\n".join(f"- `{name}`: {HTTP_REASONS[name].meaning}" for name in reasons),
        "content": {
            "application/json": {"examples": {name: {"value": value} for name, value in examples.items()}}
        },
        **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
    }
