"""One trace per request: continues the client's trace, and is named in every answer, failures included."""

from collections.abc import MutableMapping
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from producers.gateway.failures import refusal
from producers.gateway.openai.error_object import is_openai_path
from schemas.kafka.trace import Trace

TRACE_ID_HEADER: Final = "X-Trace-Id"
REQUEST_ID_HEADER: Final = "x-request-id"
"""The same id under OpenAI's name, which its clients put into their answers and errors."""

_SCOPE_KEY: Final = "kascribe.trace"
_log: Final = structlog.get_logger(__name__)


def trace_of(scope: MutableMapping[str, Any]) -> Trace:
    """Return the request's trace."""
    trace: Trace = scope[_SCOPE_KEY]
    return trace


def trace_in(scope: MutableMapping[str, Any]) -> Trace | None:
    """Return the request's trace, None before it has one."""
    trace: Trace | None = scope.get(_SCOPE_KEY)
    return trace


class TraceMiddleware:
    """Continues the trace of the ``traceparent`` header, or starts one; the answer names it in X-Trace-Id.

    The job's events pass on ``tracestate`` and ``baggage``. A defect is logged and answered here, inside the
    trace: the framework's own handler runs outside of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request within its trace."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        trace = Trace.continue_from(lambda name: headers.get(name, "").encode("latin-1"))
        scope[_SCOPE_KEY] = trace

        has_started = False

        async def send_traced(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                answered = MutableHeaders(scope=message)
                answered[TRACE_ID_HEADER] = trace.trace_id
                if is_openai_path(scope["path"]):
                    answered[REQUEST_ID_HEADER] = trace.trace_id
            await send(message)

        with bound_contextvars(trace_id=trace.trace_id):
            try:
                await self._app(scope, receive, send_traced)
            except Exception as error:
                _log.exception("request failed", path=scope["path"])
                if has_started:
                    raise
                answer = await refusal(Request(scope), error)
                await answer(scope, receive, send_traced)
