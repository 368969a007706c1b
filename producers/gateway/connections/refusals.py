"""Refusals of what exceeds a limit: counted by kind, and logged once per kind and minute with their number."""

from collections import Counter
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Final

import structlog

from schemas.clock import Clock

LOG_INTERVAL_SECONDS: Final = 60.0
"""Between two lines about refusals of one kind, whatever their number."""

_log: Final = structlog.get_logger(__name__)


class Refusal(StrEnum):
    """Why a connection was closed, or a request refused, because of a limit."""

    SLOW_HEADERS = "slow_headers"
    HEADERS_TOO_LARGE = "headers_too_large"
    INVALID_HTTP = "invalid_http"
    UNSUPPORTED_UPGRADE = "unsupported_upgrade"
    CONNECTIONS = "connections"
    CLIENT_CONNECTIONS = "client_connections"
    DESCRIPTORS = "descriptors"
    REQUESTS = "requests"
    PROBES = "probes"
    STREAMS = "streams"
    UPLOADS = "uploads"
    SPOOL = "spool"
    DISK = "disk"
    BODY_TOO_LARGE = "body_too_large"
    STALLED_BODY = "stalled_body"
    SLOW_BODY = "slow_body"
    SLOW_READER = "slow_reader"


@dataclass(slots=True)
class Refusals:
    """Counts and logs refusals. Safe from any thread. ``on_refusal`` must not block."""

    clock: Clock
    _: KW_ONLY
    on_refusal: Callable[[Refusal], None] = lambda _kind: None
    _unlogged: Counter[Refusal] = field(default_factory=Counter)
    _logged_at: dict[Refusal, float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def count(self, kind: Refusal) -> None:
        """Count one. The first of its kind is logged at once, others with the next line."""
        self.on_refusal(kind)
        with self._lock:
            self._unlogged[kind] += 1
        self._log_due(kind)

    def flush(self) -> None:
        """Log what is due. Call it now and then: the last refusals of a series are logged by it."""
        for kind in tuple(self._unlogged):
            self._log_due(kind)

    def _log_due(self, kind: Refusal) -> None:
        now = self.clock.monotonic()
        with self._lock:
            if now - self._logged_at.get(kind, -LOG_INTERVAL_SECONDS) < LOG_INTERVAL_SECONDS:
                return
            count = self._unlogged.pop(kind, 0)
            if not count:
                return
            self._logged_at[kind] = now
        _log.warning("refused because of a limit", kind=kind.value, count=count)
