"""The wiring of the gateway's metrics and health."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from consumers.kafka.group import GroupProbe
from consumers.metrics import Instruments, new_instruments
from kascribe.metering.process import observe_process
from kascribe.process.tracing.span_queue import TRACING_METRICS
from producers.archive.reads import ARCHIVE_DEPENDENCY
from producers.gateway.monitoring.dependencies import Dependencies
from producers.gateway.monitoring.health import ENRICHER, Health
from producers.gateway.monitoring.rows import EXPORTED_METRICS, GATEWAY_METRICS
from schemas.clock import Clock
from schemas.roles import Role
from schemas.settings import Settings

__all__ = ["GATEWAY_METRICS", "gateway_health", "gateway_instruments", "needed_checks"]

OPTIONAL: Final = frozenset({ARCHIVE_DEPENDENCY})
"""A gateway without its archive still transcribes: a balancer that took it out would make the outage larger."""

CHECKING_THREADS: Final = 7
"""One for each check: Kafka, bucket and archive for /health, and all with the enricher's group for readiness."""


def gateway_instruments() -> Instruments:
    """Return the instruments of one gateway, none of which has measured yet.

    The series of its services begin with the first scrape, which checks them.
    """
    instruments = new_instruments((*EXPORTED_METRICS, *TRACING_METRICS))
    observe_process(instruments, Role.GATEWAY, services=())
    return instruments


def needed_checks(settings: Settings, checks: Mapping[str, Callable[[], bool]]) -> dict[str, Callable[[], bool]]:
    """Return the checks of what requests need: those given, and the enricher's where one is expected.

    A member of its consumer group is the sign of an enricher that works, wherever it runs; one that waits for its
    language model stays a member, and its jobs continue afterwards.
    """
    if not settings.gateway.enrichment:
        return dict(checks)
    return {**checks, ENRICHER: GroupProbe(settings.kafka, role=Role.ENRICHER).has_member}


def gateway_health(
    settings: Settings,
    checks: Mapping[str, Callable[[], bool]],
    threads: Mapping[str, Callable[[], bool]],
    checking: ThreadPoolExecutor,
    *,
    clock: Clock,
) -> Health:
    """Return the health of a gateway with these threads, before services with these checks."""
    needed = Dependencies(needed_checks(settings, checks), checking, clock=clock)
    return Health(threads, needed, clock=clock, optional=OPTIONAL)
