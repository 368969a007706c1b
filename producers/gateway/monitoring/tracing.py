"""One trace per request: continues the client's trace, and is named in every answer, failures included."""

from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from producers.gateway.connections.admission import PROBE_PATHS
from producers.gateway.failures import refusal
from producers.gateway.openai.error_object import is_openai_path
from schemas.kafka.trace import Trace
from schemas.monitoring.active_span import ActiveSpan
from schemas.monitoring.spans import AttributeValue, SpanKind
from schemas.monitoring.tracing import Tracer, entered

TRACE_ID_HEADER: Final = "X-Trace-Id"
REQUEST_ID_HEADER: Final = "x-request-id"
"""The same id under OpenAI's name, which its clients put into their answers and errors."""

_SCOPE_KEY: Final = "kascribe.trace"
JOB_KEY: Final = "kascribe.job"
"""Where a route leaves the job and the tenant of a request."""
JOB_ID_CHARACTERS: Final = 64
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

    With a ``tracer``, a request is a span, from its headers to the end of its answer; probes are left out. The
    job's events pass on ``tracestate`` and ``baggage``. A defect is logged and answered here, inside the
    trace: the framework's own handler runs outside of it.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer | None = None) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request within its trace."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        def header(name: str) -> bytes:
            return headers.get(name, "").encode("latin-1")

        trace = Trace.continue_from(header) if self._tracer is None else self._tracer.continue_from(header)
        scope[_SCOPE_KEY] = trace
        active = _begin(self._tracer, trace, scope)
        has_started = False

        async def send_traced(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                if active is not None:
                    _note_answer(active, int(message["status"]))
                answered = MutableHeaders(scope=message)
                answered[TRACE_ID_HEADER] = trace.trace_id
                if is_openai_path(scope["path"]):
                    answered[REQUEST_ID_HEADER] = trace.trace_id
            await send(message)

        with bound_contextvars(trace_id=trace.trace_id, span_id=trace.span_id), entered(active):
            try:
                await self._app(scope, receive, send_traced)
            except Exception as error:
                _log.exception("request failed", path=scope["path"])
                if has_started:
                    raise
                answer = await refusal(Request(scope), error)
                await answer(scope, receive, send_traced)
            finally:
                if active is not None:
                    _end(active, scope)


def _begin(tracer: Tracer | None, trace: Trace, scope: Scope) -> ActiveSpan | None:
    if tracer is None or scope["path"] in PROBE_PATHS:
        return None
    method = scope["method"]
    attributes: dict[str, AttributeValue] = {
        "http.request.method": method,
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope.get("http_version", ""),
    }
    return tracer.begin(trace, method, kind=SpanKind.SERVER, attributes=attributes)


def _note_answer(active: ActiveSpan, status: int) -> None:
    active.set({"http.response.status_code": status})
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        active.fail(str(int(status)))


def _end(active: ActiveSpan, scope: Scope) -> None:
    """End the span of a request under its route: a path may name a person's file."""
    route: Any = getattr(scope.get("route"), "path", None)
    if isinstance(route, str):
        active.rename(f"{scope['method']} {route}")
        active.set({"http.route": route})
    job_id, tenant = scope.get(JOB_KEY) or (scope.get("path_params", {}).get("job_id"), None)
    if job_id:
        active.set({"kascribe.job_id": str(job_id)[:JOB_ID_CHARACTERS], "kascribe.tenant": tenant or ""})
    active.end()
