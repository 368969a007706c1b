"""One trace per request: continued from the caller's, named in every answer, the failures' too."""

from collections.abc import MutableMapping
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from schemas.trace import Trace

TRACE_ID_HEADER: Final = "X-Trace-Id"
_SCOPE_KEY: Final = "kascribe.trace"


def trace_of(scope: MutableMapping[str, Any]) -> Trace:
    """The request's trace."""
    trace: Trace = scope[_SCOPE_KEY]
    return trace


class TraceMiddleware:
    """Continues the trace of the ``traceparent`` header, or starts one; the answer names it in X-Trace-Id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parent = Trace.parse(Headers(scope=scope).get("traceparent"))
        trace = parent.child() if parent else Trace.start()
        scope[_SCOPE_KEY] = trace

        async def send_traced(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[TRACE_ID_HEADER] = trace.trace_id
            await send(message)

        with bound_contextvars(trace_id=trace.trace_id):
            await self._app(scope, receive, send_traced)
