"""OpenAI's error object: ``{"error": {"message", "type", "param", "code"}}``, and its statuses.

See https://platform.openai.com/docs/guides/error-codes. Clients choose the exception by the status.
"""

from http import HTTPStatus
from typing import Any, Final

from schemas.errors import Reason

PATHS: Final = ("/v1/audio", "/v1/models")
"""Routes below these answer with the object."""

SHOULD_RETRY_HEADER: Final = "x-should-retry"
"""OpenAI's clients send a request again after any status from 500, unless this header is ``false``."""

_CODES: Final = {"key_invalid": "invalid_api_key", "rate_limited": "rate_limit_exceeded"}
"""Reasons for which OpenAI has a code of its own, which its clients' users look for."""

_BAD_AUDIO: Final = frozenset({Reason.AUDIO_EMPTY, Reason.AUDIO_UNDECODABLE, Reason.KILLER_RECORD})


def is_openai_path(path: str) -> bool:
    """Return whether a path is one of the routes that answer with OpenAI's error object."""
    return any(path == route or path.startswith(f"{route}/") for route in PATHS)


def openai_status(reason: str, status: HTTPStatus) -> HTTPStatus:
    """Return the status that OpenAI's API has for a reason: 400 for audio that cannot be used, not 422."""
    return HTTPStatus.BAD_REQUEST if reason in _BAD_AUDIO else status


def error_object(status: HTTPStatus, reason: str, message: str, *, param: str | None = None) -> dict[str, Any]:
    """Return the object; ``code`` is the reason, and the type is that of OpenAI's errors with the status."""
    code = _CODES.get(reason, reason)
    return {"error": {"message": message, "type": _type_of(status), "param": param, "code": code}}


def _type_of(status: HTTPStatus) -> str:
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        return "requests"  # OpenAI names the limit that is reached
    return "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
