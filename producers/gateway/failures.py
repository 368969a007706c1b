"""Failures as HTTP responses: one format of body for all, and the status that fits the reason."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from producers.gateway.answers import GatewayStopping, JobFailed, TooManyWaiting
from producers.gateway.job_request import AnswerTimeout, KeyReused
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
    Reason.DEPENDENCY_DOWN: HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.KILLER_RECORD: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.OUTPUT_TOO_LARGE: HTTPStatus.INTERNAL_SERVER_ERROR,
    Reason.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}

RETRY_AFTER_SECONDS: Final = 5

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
    ClientDisconnect: (HTTPStatus.BAD_REQUEST, "client_gone", "the client closed the connection"),
    KeyReused: (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        "the Idempotency-Key names a job of other audio or other options; use another key",
    ),
}


class RequestRefused(Exception):
    """A request that is answered with an error; ``reason`` is a Reason's value or one of the gateway's own."""

    def __init__(self, status: HTTPStatus, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    @classmethod
    def because(cls, reason: Reason, message: str) -> "RequestRefused":
        """Build a refusal with the status that fits the reason."""
        return cls(STATUS_BY_REASON[reason], reason.value, message)


def add_failure_handlers(app: FastAPI) -> None:
    """Answer every expected failure in one format; ``tracing`` does so for defects."""
    for kind in (
        *_SENTENCES,
        AnswerTimeout,
        RequestRefused,
        JobFailed,
        JobError,
        HTTPException,
        RequestValidationError,
    ):
        app.add_exception_handler(kind, refusal)


async def refusal(_request: Request, error: Exception) -> JSONResponse:
    """Answer an exception with ``{"success": false, "error": {"reason": …, "message": …}}``.

    A timeout also has the job's ``job_id`` and ``idempotency_key``.
    """
    refused = _as_refused(error)
    headers = dict(getattr(error, "headers", None) or {})
    if refused.status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    late = (
        {"job_id": error.job_id, "idempotency_key": error.idempotency_key}
        if isinstance(error, AnswerTimeout)
        else {}
    )
    body = {"success": False, **late, "error": {"reason": refused.reason, "message": refused.message}}
    return JSONResponse(body, status_code=refused.status, headers=headers)


def _as_refused(error: Exception) -> RequestRefused:
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
    message = f"{error.detail}; the routes are POST /transcribe, POST /transcribe-and-process and GET /health"
    # The form parser's errors about a broken body are 400s of the framework.
    reasons = {
        HTTPStatus.BAD_REQUEST: ("invalid_form", str(error.detail)),
        HTTPStatus.NOT_FOUND: ("not_found", message),
        HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", message),
    }
    reason, sentence = reasons.get(status, (status.name.lower(), str(error.detail)))
    return RequestRefused(status, reason, sentence)
