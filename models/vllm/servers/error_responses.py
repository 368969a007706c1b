"""Problems read from error responses. No I/O."""

import json
import re
from typing import Any, Final

from models.vllm.servers.problems import (
    AccessRefused,
    ContextExceeded,
    Overloaded,
    Rejected,
    ServerFailed,
    ServerProblem,
)

INPUT_PARAMETERS: Final = frozenset({"input_tokens", "input_text"})
RETRY_AFTER_LIMIT_SECONDS: Final = 60.0
_EXCERPT_CHARACTERS: Final = 300
_CONTEXT: Final = re.compile(r"maximum context length is (\d{1,9})", re.IGNORECASE)
_NO_TEMPLATE: Final = re.compile(
    r"(no|provide a) chat.template|chat.template is (not set|no longer)", re.IGNORECASE
)


def problem_of(status: int, raw: bytes, *, retry_after: str | None = None) -> ServerProblem:
    """Return what a status other than 200 means. Its ``error`` is an object, or a string with 401."""
    error = _error_in(raw)
    message = f"HTTP {status}: {_excerpt(error.get('message') or error.get('detail') or raw)}"
    if status in (429, 503):
        return Overloaded(message, _seconds(retry_after))
    if status == 400 and (error.get("param") in INPUT_PARAMETERS or _CONTEXT.search(message)):
        context = _CONTEXT.search(message)
        return ContextExceeded(message, int(context[1]) if context else None)
    if status in (401, 403, 404, 405, 407, 501):
        return AccessRefused(message)
    if 400 <= status < 500 and status not in (408, 409, 425):
        return Rejected(message)
    return ServerFailed(message)


def problem_in_stream(payload: object) -> ServerProblem | None:
    """Return the problem in an event of a stream, if there is one: after a 200 began, errors come as data."""
    error = payload.get("error") if isinstance(payload, dict) else None
    if not error:
        return None
    code = error.get("code") if isinstance(error, dict) else None
    return problem_of(code if isinstance(code, int) else 500, json.dumps(payload).encode())


def says_no_template(rejected: Rejected) -> bool:
    """Return whether messages were rejected because the model has no chat template, not for their content."""
    return _NO_TEMPLATE.search(str(rejected)) is not None


def _error_in(raw: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(payload, dict):
        return {}
    error = payload.get("error", payload)
    return error if isinstance(error, dict) else {"message": str(error)}


def _seconds(retry_after: str | None) -> float | None:
    try:
        return min(max(float(retry_after or ""), 0.0), RETRY_AFTER_LIMIT_SECONDS)
    except ValueError:
        return None


def _excerpt(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text[:_EXCERPT_CHARACTERS]
