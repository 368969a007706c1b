"""What is measured and logged of each request."""

from dataclasses import dataclass
from typing import Final

from producers.gateway.connections.guard import Guard
from producers.gateway.connections.refusals import Refusal
from producers.gateway.monitoring import rows
from producers.gateway.monitoring.access_log import AccessLog, AnsweredRequest
from producers.gateway.monitoring.ports import Instruments

NO_ROUTE: Final = "none"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD: Final = "other"
"""Clients may send any word as a method."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """Records requests in the metrics and, with ``access_log``, in the log. Belongs to one event loop."""

    instruments: Instruments
    access_log: AccessLog | None

    def watch(self, guard: Guard) -> None:
        """Export what the guards count."""
        for kind in guard.admission.in_progress:
            gauge = self.instruments.gauge(rows.HTTP_REQUESTS_IN_PROGRESS).labels(kind.value)
            gauge.set_function(lambda kind=kind: guard.admission.in_progress[kind])  # type: ignore[misc]
        self.instruments.gauge(rows.HTTP_CONNECTIONS).set_function(lambda: len(guard.places))
        self.instruments.gauge(rows.UPLOADS).set_function(lambda: guard.spool.uploads)
        self.instruments.gauge(rows.SPOOL_BYTES).set_function(lambda: guard.spool.used_bytes)
        counters = {kind: self.instruments.counter(rows.HTTP_REFUSALS).labels(kind.value) for kind in Refusal}
        guard.refusals.on_refusal = lambda kind: counters[kind].inc()
        uploaded = self.instruments.counter(rows.UPLOAD_BYTES)
        guard.spool.on_bytes = uploaded.inc

    def on_answer(self, request: AnsweredRequest, *, family: str, is_stream: bool, is_logged: bool) -> None:
        """Record a request that has ended."""
        route = request.route or NO_ROUTE
        method = request.method if request.method in METHODS else OTHER_METHOD
        status = str(request.status or NO_ROUTE)
        self.instruments.counter(rows.HTTP_REQUESTS).labels(method, route, status, family).inc()
        if not is_stream:
            self.instruments.histogram(rows.HTTP_REQUEST_SECONDS).labels(route).observe(request.duration_seconds)
        if is_logged and self.access_log is not None:
            self.access_log.write(request)
