"""The limits of one process: those of the settings, reduced to what its open files allow."""

import resource
from dataclasses import dataclass
from typing import Final

import structlog

from schemas.settings import GatewaySettings

OTHER_DESCRIPTORS: Final = 96
"""Open files beside connections and spooled uploads: up to 64 connections to the bucket, those of the Kafka
clients (two each to every broker, and their pipes), the listening socket, the event loop and the log."""

KEPT_CONNECTIONS: Final = 16
"""Places beyond the limits of connections, on which only health and metrics are answered."""

PROBE_LIMIT: Final = 64
"""Requests for health and metrics in progress at once. Each takes a second at most."""

SEND_STALL_SECONDS: Final = 30.0
"""For a client that does not read its answer. A stream's client continues on a new connection (Last-Event-ID)."""

CLOSING_SECONDS: Final = 10.0
"""For the last bytes of an answer on a connection that is being closed."""

UNLIMITED: Final = 2**30
"""Stands for a number of open files that limits nothing."""

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What clients may take at once. ``connections`` and ``client_connections`` do not count those kept."""

    connections: int
    client_connections: int
    requests: int
    streams: int
    uploads: int
    header_seconds: float

    @property
    def open_files(self) -> int:
        """The open files that these limits may need."""
        return self.connections + KEPT_CONNECTIONS + self.uploads + OTHER_DESCRIPTORS


def limits_of(settings: GatewaySettings, *, open_files: int) -> Limits:
    """Return the limits for a process that may have so many files open. Pure.

    Requests and streams never take all connections: at least a quarter remains for those that send headers.
    """
    shared = max(4, open_files - OTHER_DESCRIPTORS - KEPT_CONNECTIONS)
    connections = min(
        settings.connection_limit, max(4, shared - min(settings.concurrent_upload_limit, shared // 4))
    )
    return Limits(
        connections=connections,
        client_connections=min(settings.client_connection_limit, connections),
        requests=min(settings.request_limit, max(1, connections // 2)),
        streams=min(settings.stream_limit, max(1, connections // 4)),
        uploads=min(settings.concurrent_upload_limit, max(1, shared - connections)),
        header_seconds=settings.header_timeout_seconds,
    )


def limits_here(settings: GatewaySettings) -> Limits:
    """Return the limits for this process, after raising its own limit of open files as far as allowed.

    Logs a warning when the hard limit of open files reduces the settings.
    """
    wanted = limits_of(settings, open_files=UNLIMITED)
    limits = limits_of(settings, open_files=_raise_open_files(wanted.open_files))
    if limits != wanted:
        _log.warning(
            "the limit of open files (ulimit -n) allows fewer connections and uploads than the settings",
            connections=limits.connections,
            requests=limits.requests,
            uploads=limits.uploads,
            streams=limits.streams,
        )
    return limits


def _raise_open_files(wanted: int) -> int:
    """Raise the soft limit of open files to ``wanted`` if the hard one allows it; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    return raised
