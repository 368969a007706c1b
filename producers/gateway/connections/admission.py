"""Admission of requests: each kind has a number of places, and health and metrics keep theirs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.gateway.connections.bodies import OTHER_BODY_BYTES, PacedBody
from producers.gateway.connections.limits import PROBE_LIMIT, Limits
from producers.gateway.connections.protocol import PLACE_KEY, GatewayProtocol
from producers.gateway.connections.refusals import Refusal, Refusals
from producers.gateway.connections.spool import Spool, set_spool
from producers.gateway.failures import RequestRefused, refusal
from schemas.clock import Clock

PROBE_PATHS: Final = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
STREAM_SUFFIX: Final = "/events"
"""Of the paths of event streams, which last as long as their clients want."""


_REFUSED_KEY: Final = "kascribe.refused"


class RequestKind(StrEnum):
    """The kinds of requests that have a limit each."""

    PROBE = "probe"
    STREAM = "stream"
    REQUEST = "request"


_REFUSED: Final = {
    RequestKind.PROBE: (Refusal.PROBES, "too many health checks are in progress"),
    RequestKind.STREAM: (Refusal.STREAMS, "too many event streams are open here"),
    RequestKind.REQUEST: (
        Refusal.REQUESTS,
        "too many requests are in progress here",
    ),
}


def kind_of(scope: Scope) -> RequestKind:
    """Return the kind of a request, from its method and path alone."""
    if scope["path"] in PROBE_PATHS:
        return RequestKind.PROBE
    is_stream = scope["method"] == "GET" and scope["path"].endswith(STREAM_SUFFIX)
    return RequestKind.STREAM if is_stream else RequestKind.REQUEST


def is_refused(scope: Scope) -> bool:
    """Return whether a request was refused by a limit: it is counted then, and not logged by itself."""
    return _REFUSED_KEY in scope


@dataclass(slots=True)
class Admission:
    """Counts the requests in progress of one process. Belongs to its event loop."""

    limits: Limits
    spool: Spool
    refusals: Refusals
    _: KW_ONLY
    header_limit_bytes: int
    body_bytes_per_second: int
    clock: Clock
    in_progress: dict[RequestKind, int] = field(default_factory=lambda: dict.fromkeys(RequestKind, 0))

    @contextmanager
    def admitted(self, scope: Scope) -> Iterator[None]:
        """Count a request while the context lasts. Raises RequestRefused beyond a limit."""
        kind = kind_of(scope)
        connection = scope.get("state", {}).get(PLACE_KEY)
        if isinstance(connection, GatewayProtocol) and connection.is_kept and kind is not RequestKind.PROBE:
            raise self._refused(
                Refusal.CLIENT_CONNECTIONS,
                "too many connections are open here",
                close=True,
            )
        if sum(len(name) + len(value) for name, value in scope["headers"]) > self.header_limit_bytes:
            self.refusals.count(Refusal.HEADERS_TOO_LARGE)
            raise RequestRefused(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers_too_large",
                f"headers are limited to {self.header_limit_bytes:,} bytes (KASCRIBE_GATEWAY_HEADER_LIMIT_BYTES)",
            )
        if self.in_progress[kind] >= self._limit(kind):
            raise self._refused(*_REFUSED[kind])
        self.in_progress[kind] += 1
        try:
            yield
        finally:
            self.in_progress[kind] -= 1

    def body_of(self, scope: Scope, receive: Receive) -> PacedBody:
        """Return the request's ``receive`` with the limits of bodies."""
        is_form = Headers(scope=scope).get("content-type", "").startswith("multipart/form-data")
        return PacedBody(
            receive,
            self.refusals,
            bytes_per_second=self.body_bytes_per_second,
            limit_bytes=None if is_form else OTHER_BODY_BYTES,
            clock=self.clock,
        )

    def _limit(self, kind: RequestKind) -> int:
        by_kind = {
            RequestKind.PROBE: PROBE_LIMIT,
            RequestKind.STREAM: self.limits.streams,
            RequestKind.REQUEST: self.limits.requests,
        }
        return by_kind[kind]

    def _refused(self, kind: Refusal, message: str, *, close: bool = False) -> RequestRefused:
        self.refusals.count(kind)
        headers = {"Connection": "close"} if close else {}
        return RequestRefused(
            HTTPStatus.SERVICE_UNAVAILABLE, "crowded", f"{message}; try again in a moment", headers=headers
        )


class AdmissionMiddleware:
    """Refuses requests beyond the limits before their route runs, and limits the bodies of the others."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def send_noted(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        set_spool(scope, self._admission.spool)
        body = self._admission.body_of(scope, receive)
        try:
            with self._admission.admitted(scope):
                await self._app(scope, body, send_noted)
        except RequestRefused as error:
            scope[_REFUSED_KEY] = True
            if has_started:
                return  # the client that sends no more of its body has an answer already
            answer = await refusal(Request(scope), error)
            await answer(scope, receive, send)
