"""The layers around the routes that decide about access, from the innermost to the outermost."""

from typing import Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from producers.gateway.access.browsers import HostsAndOrigins, SecurityHeaders
from producers.gateway.access.hosts import HostRule, OriginRule
from producers.gateway.access.middleware import AccessMiddleware
from schemas.settings import GatewaySettings

CORS_METHODS: Final = ("GET", "HEAD", "POST", "DELETE")
CORS_REQUEST_HEADERS: Final = (
    "Authorization",
    "X-Api-Key",
    "Idempotency-Key",
    "Last-Event-ID",
    "traceparent",
    "tracestate",
    "baggage",
)
CORS_ANSWER_HEADERS: Final = (
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Trace-Id",
)


def add_access(app: FastAPI, settings: GatewaySettings) -> None:
    """Add the layers. Those that are added later, outside of them, see every request and answer."""
    app.add_middleware(AccessMiddleware, keys=settings.keys)
    if settings.allowed_origins:
        # Outside of the keys: a browser's preflight has none, and a page can then read why it was refused.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=CORS_METHODS,
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_ANSWER_HEADERS,
            allow_private_network=True,
        )
    app.add_middleware(
        HostsAndOrigins,
        hosts=HostRule(settings.host, settings.allowed_hosts),
        origins=OriginRule(settings.allowed_origins),
    )


def add_security_headers(app: FastAPI) -> None:
    """Add the layer that every answer passes, those of all other layers included. Call it after them."""
    app.add_middleware(SecurityHeaders)
