"""What guards one gateway: its limits, places, spool and refusals, put together."""

from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI

from producers.gateway.connections.admission import Admission, AdmissionMiddleware
from producers.gateway.connections.limits import limits_here
from producers.gateway.connections.places import Places
from producers.gateway.connections.protocol import GatewayProtocol
from producers.gateway.connections.refusals import Refusals
from producers.gateway.connections.spool import Spool
from schemas.clock import SystemClock
from schemas.settings import GatewaySettings

_CLOCK: Final = SystemClock()


@dataclass(frozen=True, slots=True)
class Guard:
    """The guards of one gateway, shared by its middleware and its listener."""

    refusals: Refusals
    places: Places[GatewayProtocol]
    spool: Spool
    admission: Admission


def guard_of(settings: GatewaySettings) -> Guard:
    """Build the guards; raises the process's own limit of open files as far as the settings need and it may."""
    limits = limits_here(settings)
    refusals = Refusals(_CLOCK)
    spool = Spool(settings.spool_limit_bytes, limits.uploads, refusals)
    admission = Admission(
        limits,
        spool,
        refusals,
        header_limit_bytes=settings.header_limit_bytes,
        body_bytes_per_second=settings.upload_rate_bytes_per_second,
        clock=_CLOCK,
    )
    return Guard(refusals, Places(limits), spool, admission)


def add_guard(app: FastAPI, settings: GatewaySettings) -> None:
    """Add the middleware; ``app.state.guard`` is what the server needs of it."""
    app.state.guard = guard_of(settings)
    app.add_middleware(AdmissionMiddleware, admission=app.state.guard.admission)
