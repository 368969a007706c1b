"""Failures on OpenAI's routes in OpenAI's shape, with its statuses."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from producers.gateway.app import create_app
from producers.gateway.failures import RequestRefused, refusal
from producers.gateway.interactive.answers import GatewayStopping, JobFailed
from producers.gateway.interactive.job_request import JobRequest, TranscriptTimeout
from producers.gateway.openai.error_object import is_openai_path
from schemas.errors import DependencyDown, Reason
from schemas.events import Failure
from schemas.kafka.trace import Trace
from schemas.options import TranscribeOptions
from schemas.settings import GatewaySettings
from tests.unit.producers.lone_routes import open_no_services

REQUEST = JobRequest(
    "a.wav", None, "gateway:1", False, TranscribeOptions(), None, "team", Trace("0" * 32, "1" * 16)
)


def failed(reason: Reason) -> JobFailed:
    """Return the failure of a job."""
    return JobFailed(Failure(reason=reason, message="why", attempt=1))


def refused(status: HTTPStatus, reason: str) -> RequestRefused:
    """Return a refusal."""
    return RequestRefused(status, reason, "why")


@pytest.mark.parametrize(
    ("error", "status", "family", "code"),
    [
        (refused(HTTPStatus.UNAUTHORIZED, "key_missing"), 401, "invalid_request_error", "key_missing"),
        (refused(HTTPStatus.UNAUTHORIZED, "key_invalid"), 401, "invalid_request_error", "invalid_api_key"),
        (refused(HTTPStatus.FORBIDDEN, "right_missing"), 403, "invalid_request_error", "right_missing"),
        (refused(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited"), 429, "requests", "rate_limit_exceeded"),
        (failed(Reason.AUDIO_EMPTY), 400, "invalid_request_error", "audio_empty"),
        (failed(Reason.AUDIO_UNDECODABLE), 400, "invalid_request_error", "audio_undecodable"),
        (failed(Reason.KILLER_RECORD), 400, "invalid_request_error", "killer_record"),
        (failed(Reason.AUDIO_TOO_LONG), 413, "invalid_request_error", "audio_too_long"),
        (failed(Reason.ENGINE_FAILED), 500, "server_error", "engine_failed"),
        (GatewayStopping(), 503, "server_error", "stopping"),
        (DependencyDown("kafka", "no broker"), 503, "server_error", "dependency_down"),
        (TranscriptTimeout(REQUEST, "late"), 504, "server_error", "answer_timeout"),
        (ZeroDivisionError("a defect"), 500, "server_error", "internal_error"),
    ],
)
def test_every_failure_is_an_error_object(error: Exception, status: int, family: str, code: str) -> None:
    """The status decides which exception OpenAI's clients raise; the code is the reason."""
    answer = asyncio.run(refusal(Request({"type": "http", "path": "/v1/audio/transcriptions"}), error))
    body = json.loads(bytes(answer.body))
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert (answer.status_code, body["error"]["type"], body["error"]["code"]) == (status, family, code)


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (TranscriptTimeout(REQUEST, "late"), False),
        (failed(Reason.ENGINE_FAILED), False),
        (GatewayStopping(), True),
    ],
)
def test_clients_do_not_repeat_what_would_fail_again(error: Exception, *, retried: bool) -> None:
    """By themselves they send the file twice more after any status from 500."""
    answer = asyncio.run(refusal(Request({"type": "http", "path": "/v1/audio/transcriptions"}), error))
    assert answer.headers.get("x-should-retry") == (None if retried else "false")
    assert ("retry-after" in answer.headers) is retried


@pytest.mark.parametrize(
    ("path", "is_openai"),
    [
        ("/v1/audio/transcriptions", True),
        ("/v1/audio", True),
        ("/v1/models", True),
        ("/v1/models/org/model", True),
        ("/v1/audiobooks", False),
        ("/v1/jobs", False),
        ("/transcribe", False),
    ],
)
def test_the_shape_is_decided_by_the_path(path: str, *, is_openai: bool) -> None:
    """Also for routes that do not exist."""
    assert is_openai_path(path) is is_openai


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code"),
    [
        ("POST", "/v1/audio/speech", {}, 404, "not_found"),
        ("GET", "/v1/audio/transcriptions", {}, 405, "method_not_allowed"),
        ("POST", "/v1/audio/transcriptions", {"json": {}}, 400, "file_missing"),
        ("POST", "/v1/audio/transcriptions?language=ko", {"files": {"file": b"a"}}, 400, "invalid_options"),
        (
            "POST",
            "/v1/audio/translations",
            {"files": {"file": b"a"}, "data": {"task": "x"}},
            400,
            "invalid_options",
        ),
    ],
)
def test_requests_that_reach_no_job_are_answered_in_the_same_shape(
    method: str, path: str, sent: dict[str, Any], status: int, code: str
) -> None:
    """An unknown route, a wrong method, no form, a field in the query or of no use."""
    app = create_app(GatewaySettings(), open_services=open_no_services)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            return await client.request(method, path, **sent)

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers["x-request-id"] == answer.headers["x-trace-id"]
