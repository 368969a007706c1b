"""Health of a consumer role's process: its live and ready checks and its metrics, served over HTTP."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from consumers.metrics import Metrics
from consumers.runtime.monitoring.health import live, ready
from consumers.runtime.monitoring.server import HealthServer
from consumers.runtime.runtime import Runtime
from kascribe.process.tracing.span_queue import TRACING_METRICS
from schemas.clock import Clock, SystemClock
from schemas.monitoring import HealthReport, Metric
from schemas.settings import ServerSettings

_log: Final = structlog.get_logger(__name__)


@dataclass
class RoleHealth:
    """The checks of one role. Before the runtime exists the process is live and not ready.

    ``failure`` is the reason why the runtime failed, once it has. ``declared`` are the role's own metrics, beside
    the runtime's.
    """

    is_well: Callable[[], bool] = lambda: True
    runtime: Runtime | None = None
    why_not_ready: str = "starting"
    failure: str | None = None
    declared: tuple[Metric, ...] = ()
    clock: Clock = field(default_factory=SystemClock)
    metrics: Metrics = field(init=False)

    def __post_init__(self) -> None:
        self.metrics = Metrics(CollectorRegistry(), self.declared, TRACING_METRICS)

    def live(self) -> HealthReport:
        """Report whether the process can still do its work; a new one is needed otherwise."""
        if not self.is_well():
            return HealthReport(False, ("the engine hangs or is broken; only a new process helps",))
        if self.failure is not None:
            return HealthReport(False, (self.failure,))
        return live(self.runtime.snapshot(), now=self.clock.monotonic()) if self.runtime else HealthReport(True)

    def ready(self) -> HealthReport:
        """Report whether records can be processed now."""
        if self.failure is not None:
            return HealthReport(False, (self.failure,))
        if self.runtime is None:
            return HealthReport(False, (self.why_not_ready,))
        return ready(self.runtime.snapshot(), now=self.clock.monotonic())


@contextmanager
def served(health: RoleHealth, settings: ServerSettings) -> Iterator[None]:
    """Serve health and metrics while the context lasts, from before the model is loaded to the last record."""
    with serving(settings, live=health.live, ready=health.ready, registry=health.metrics.registry):
        yield


@contextmanager
def serving(
    settings: ServerSettings,
    *,
    live: Callable[[], HealthReport],
    ready: Callable[[], HealthReport],
    registry: CollectorRegistry,
) -> Iterator[None]:
    """Serve two checks and metrics while the context lasts. Raises ConfigurationError for a port in use."""
    server = HealthServer(settings, live=live, ready=ready, registry=registry)
    server.start()
    _log.info("health and metrics served", port=server.port)
    try:
        yield
    finally:
        server.stop()
