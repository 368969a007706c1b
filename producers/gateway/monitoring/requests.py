"""The outermost layer of the application: sees every request and answer, and changes neither."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.gateway.access.caller import Caller
from producers.gateway.connections.admission import PROBE_PATHS, RequestKind, is_refused, kind_of
from producers.gateway.failures import reason_in
from producers.gateway.monitoring.access_log import AnsweredRequest
from producers.gateway.monitoring.monitor import Monitor
from producers.gateway.monitoring.tracing import JOB_ID_CHARACTERS, JOB_KEY, trace_in
from schemas.clock import Clock

PATH_CHARACTERS: Final = 200
NO_FAMILY: Final = "none"


def note_job(scope: Scope, job_id: str, tenant: str) -> None:
    """Let the access log name the job and the tenant of a request; its path and its key need not."""
    scope[JOB_KEY] = (job_id, tenant)


@dataclass(slots=True)
class _Traffic:
    """What went over the wire for one request."""

    received_bytes: int = 0
    sent_bytes: int = 0
    status: int | None = None


class MonitorMiddleware:
    """Measures each request, from its headers to the end of its answer."""

    def __init__(self, app: ASGIApp, monitor: Monitor, clock: Clock) -> None:
        self._app = app
        self._monitor = monitor
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        traffic, began = _Traffic(), self._clock.monotonic()

        async def receive_counted() -> Message:
            message = await receive()
            traffic.received_bytes += len(message.get("body", b""))
            return message

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                traffic.status = int(message["status"])  # without the name that HTTPStatus has in log lines
            traffic.sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive_counted, send_counted)
        finally:
            self._record(scope, traffic, self._clock.monotonic() - began)

    def _record(self, scope: Scope, traffic: _Traffic, seconds: float) -> None:
        is_probe = scope["path"] in PROBE_PATHS and (traffic.status or 0) < HTTPStatus.BAD_REQUEST
        self._monitor.on_answer(
            _answered(scope, traffic, seconds),
            family=_family(scope),
            is_stream=kind_of(scope) is RequestKind.STREAM,
            is_logged=not is_probe and not is_refused(scope),
        )


def _answered(scope: Scope, traffic: _Traffic, seconds: float) -> AnsweredRequest:
    caller = scope.get("kascribe.caller")
    key = caller.key if isinstance(caller, Caller) else None
    job_id, tenant = scope.get(JOB_KEY) or (scope.get("path_params", {}).get("job_id"), None)
    trace = trace_in(scope)
    return AnsweredRequest(
        method=scope["method"],
        route=_route(scope),
        path=scope["path"][:PATH_CHARACTERS],
        status=traffic.status,
        duration_seconds=round(seconds, 6),
        received_bytes=traffic.received_bytes,
        sent_bytes=traffic.sent_bytes,
        client=(scope.get("client") or (None,))[0],
        trace_id=trace.trace_id if trace else None,
        job_id=str(job_id)[:JOB_ID_CHARACTERS] if job_id else None,
        tenant=tenant or (caller.tenant if isinstance(caller, Caller) else None),
        key_id=key.id if key else None,
        reason=reason_in(scope),
    )


def _route(scope: Scope) -> str | None:
    path: Any = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else None


def _family(scope: Scope) -> str:
    tags: Any = getattr(scope.get("route"), "tags", None)
    return str(getattr(tags[0], "value", tags[0])) if tags else NO_FAMILY
