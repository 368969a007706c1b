"""What browsers may do: which hosts and origins are answered, and the headers that restrict them."""

from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.gateway.access.hosts import HostRule, OriginRule
from producers.gateway.failures import RequestRefused, refusal

SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer that has no such header of its own, as a page with scripts has its own policy.

OWASP's REST Security Cheat Sheet, "Security Headers", names them for APIs.
"""


class SecurityHeaders:
    """Adds the security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class HostsAndOrigins:
    """Refuses requests that name another host, and those of web pages that may not send any."""

    def __init__(self, app: ASGIApp, *, hosts: HostRule, origins: OriginRule) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        refused = self._why_refused(scope) if scope["type"] == "http" else None
        answer = self._app if refused is None else await refusal(Request(scope), refused)
        await answer(scope, receive, send)

    def _why_refused(self, scope: Scope) -> RequestRefused | None:
        headers = Headers(scope=scope)
        local_address = (scope.get("server") or (None,))[0]
        if not self._hosts.accepts(headers.get("host", ""), local_address=local_address):
            return RequestRefused(
                HTTPStatus.MISDIRECTED_REQUEST,
                "host_not_allowed",
                "the gateway does not answer under the name in the Host header: list its names in "
                "KASCRIBE_GATEWAY_ALLOWED_HOSTS",
            )
        if not self._origins.accepts(headers, method=scope["method"]):
            return RequestRefused(
                HTTPStatus.FORBIDDEN,
                "origin_not_allowed",
                "web pages of another origin may not send requests: list the origin in "
                "KASCRIBE_GATEWAY_ALLOWED_ORIGINS",
            )
        return None
