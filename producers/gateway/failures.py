"""Failures as HTTP responses: one format of body for all, and the status that fits the reason."""

from collections.abc import Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from producers.gateway.events.hub import TooManySubscribers
from producers.gateway.events.past import CursorGone, HistoryUnavailable
from producers.gateway.interactive.answers import GatewayStopping, JobFailed, TooManyWaiting
from producers.gateway.interactive.job_request import AnswerTimeout, KeyReused
from producers.gateway.openai.error_object import (
    SHOULD_RETRY_HEADER,
    error_object,
    is_openai_path,
    openai_status,
)
from producers.gateway.routes.methods import allowed_methods
from schemas.errors import JobError, Reason

STATUS_BY_REASON: Final[Mapping[Reason, HTTPStatus]] = {
    Reason.INVALID_EVENT: HTTPStatus.BAD_REQUEST,
    Reason.INVALID_OPTIONS: HTTPStatus.BAD_REQUEST,
    Reason.KEY_REUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.SOURCE_NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    Reason.AUDIO_NOT_FOUND: HTTPStatus.NOT_FOUND,
    Reason.AUDIO_FORBIDDEN: HTTPStatus.FORBIDDEN,
    Reason.AUDIO_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.AUDIO_TOO_LONG: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.AUDIO_EMPTY: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.AUDIO_UNDECODABLE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.ENGINE_FAILED: HTTPStatus.INTERNAL_SERVER_ERROR,
    Reason.ENRICHMENT_INVALID: HTTPStatus.BAD_GATEWAY,
    Reason.ENRICHMENT_FAILED: HTTPStatus.BAD_GATEWAY,
    Reason.WEBHOOK_NOT_ALLOWED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.WEBHOOK_REFUSED: HTTPStatus.BAD_GATEWAY,
    Reason.WEBHOOK_FAILED: HTTPStatus.BAD_GATEWAY,
    Reason.DEPENDENCY_DOWN: HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.KILLER_RECORD: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.OUTPUT_TOO_LARGE: HTTPStatus.INTERNAL_SERVER_ERROR,
    Reason.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}

RETRY_AFTER_SECONDS: Final = 5

_REASON_KEY: Final = "kascribe.refused_reason"

_SENTENCES: Final[Mapping[type[Exception], tuple[HTTPStatus, str, str]]] = {
    TooManyWaiting: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "crowded",
        "too many requests wait here; try again in a moment",
    ),
    GatewayStopping: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "stopping",
        "this gateway stops; try again, with the same key if any",
    ),
    TooManySubscribers: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "crowded",
        "too many event streams are open here; try again in a moment",
    ),
    CursorGone: (
        HTTPStatus.GONE,
        "cursor_gone",
        "events after this Last-Event-ID are deleted, or too many: read the job's state, and connect without it",
    ),
    HistoryUnavailable: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "history_unavailable",
        "past events cannot be read now: many clients read them, or the broker is slow; try again in a moment",
    ),
    ClientDisconnect: (HTTPStatus.BAD_REQUEST, "client_gone", "the client closed the connection"),
    KeyReused: (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        "the Idempotency-Key names a job of other audio or other options; use another key",
    ),
}


class RequestRefused(Exception):
    """A request that is answered with an error; ``reason`` is a Reason's value or one of the gateway's own."""

    def __init__(
        self,
        status: HTTPStatus,
        reason: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, str] | None = None,
        param: str | None = None,
    ) -> None:
        """Make a refusal; ``details`` are further fields of the answer's body, ``param`` is the field at fault."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.headers = headers or {}
        self.details = details or {}
        self.param = param

    @classmethod
    def because(cls, reason: Reason, message: str, *, param: str | None = None) -> "RequestRefused":
        """Build a refusal with the status that fits the reason."""
        return cls(STATUS_BY_REASON[reason], reason.value, message, param=param)


def enrichment_off(*, instead: str = "") -> RequestRefused:
    """Return the refusal of an enrichment where no enricher runs; ``instead`` ends its sentence."""
    return RequestRefused(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "enrichment_off",
        "no enricher runs here (KASCRIBE_GATEWAY_ENRICHMENT=false): `kascribe up` starts one when "
        f"KASCRIBE_VLLM_BASE_URL names a vLLM server{instead}",
    )


EXPECTED_FAILURES: Final[tuple[type[Exception], ...]] = (
    *_SENTENCES,
    AnswerTimeout,
    RequestRefused,
    JobFailed,
    JobError,
    HTTPException,
    RequestValidationError,
)
"""What ``as_refused`` has a reason for; any other exception is a defect."""


def add_failure_handlers(app: FastAPI) -> None:
    """Answer every expected failure in one format; ``tracing`` does so for defects."""
    for kind in EXPECTED_FAILURES:
        app.add_exception_handler(kind, refusal)


async def refusal(request: Request, error: Exception) -> JSONResponse:
    """Answer an exception with ``{"success": false, "error": {"reason": …, "message": …}}``.

    A timeout also has the job's ``job_id`` and ``idempotency_key``. The OpenAI-compatible routes answer OpenAI's
    error object instead.
    """
    refused = as_refused(error)
    request.scope[_REASON_KEY] = refused.reason
    headers = dict(getattr(error, "headers", None) or {})
    if refused.status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if refused.status is HTTPStatus.METHOD_NOT_ALLOWED and (methods := allowed_methods(request.scope)):
        headers["Allow"] = methods
    if is_openai_path(request.scope.get("path", "")):
        if _is_final(error):
            headers[SHOULD_RETRY_HEADER] = "false"
        return JSONResponse(
            error_object(refused.status, refused.reason, refused.message, param=refused.param),
            status_code=openai_status(refused.reason, refused.status),
            headers=headers,
        )
    late = (
        {"job_id": error.job_id, "idempotency_key": error.idempotency_key}
        if isinstance(error, AnswerTimeout)
        else refused.details
    )
    body = {"success": False, **late, "error": {"reason": refused.reason, "message": refused.message}}
    return JSONResponse(body, status_code=refused.status, headers=headers)


def reason_in(scope: MutableMapping[str, Any]) -> str | None:
    """Return why a request was refused, for its line in the log; None for any other request."""
    reason: str | None = scope.get(_REASON_KEY)
    return reason


def _is_final(error: Exception) -> bool:
    """Return whether the same request would fail again, or would start the whole job again."""
    return isinstance(error, AnswerTimeout | JobFailed)


def as_refused(error: Exception) -> RequestRefused:
    """Return the refusal that answers an exception; a defect is ``internal_error``."""
    match error:
        case RequestRefused():
            return error
        case JobFailed():
            return RequestRefused.because(error.failure.reason, error.failure.message)
        case JobError():
            return RequestRefused.because(error.reason, error.message)
        case AnswerTimeout():
            return RequestRefused(HTTPStatus.GATEWAY_TIMEOUT, error.reason, error.message)
        case HTTPException():
            return _of_http(error)
        case RequestValidationError():
            problems = (f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
            return RequestRefused(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", "; ".join(problems))
        case _ if type(error) in _SENTENCES:
            return RequestRefused(*_SENTENCES[type(error)])
        case _:
            return RequestRefused.because(Reason.INTERNAL_ERROR, "the gateway failed; its log says how")


def _of_http(error: HTTPException) -> RequestRefused:
    status = HTTPStatus(error.status_code)
    message = f"{error.detail}; GET /docs lists the routes"
    # The form parser's errors about a broken body are 400s of the framework.
    reasons = {
        HTTPStatus.BAD_REQUEST: ("invalid_form", str(error.detail)),
        HTTPStatus.NOT_FOUND: ("not_found", message),
        HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", message),
    }
    reason, sentence = reasons.get(status, (status.name.lower(), str(error.detail)))
    return RequestRefused(status, reason, sentence)
