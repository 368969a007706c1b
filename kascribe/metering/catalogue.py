"""The catalogue of metrics by role: what documents, alerts and dashboards are made of, or checked against."""

from collections.abc import Mapping
from typing import Final

from consumers.archive.loading import LOADED
from consumers.archive.stage import SKIPPED
from consumers.metrics import RUNTIME_METRICS
from consumers.notifier.metrics import NOTIFIER_METRICS
from kascribe.metering.engine import ENGINE_METRICS
from kascribe.metering.enrichments import ENRICHMENT_METRICS
from kascribe.metering.requests import REQUEST_METRICS
from kascribe.process.tracing.span_queue import TRACING_METRICS
from producers.gateway.monitoring.rows import EXPORTED_METRICS
from producers.reconciler.rows import RECONCILER_METRICS
from schemas.monitoring import Metric
from schemas.roles import Role

RECONCILER: Final = "reconciler"

ROLE_METRICS: Final[Mapping[str, tuple[Metric, ...]]] = {
    Role.TRANSCRIBER.value: (*RUNTIME_METRICS, *ENGINE_METRICS, *TRACING_METRICS),
    Role.ENRICHER.value: (*RUNTIME_METRICS, *REQUEST_METRICS, *ENRICHMENT_METRICS, *TRACING_METRICS),
    Role.NOTIFIER.value: (*RUNTIME_METRICS, *NOTIFIER_METRICS, *TRACING_METRICS),
    Role.ARCHIVE.value: (*RUNTIME_METRICS, SKIPPED, LOADED, *TRACING_METRICS),
    Role.GATEWAY.value: (*EXPORTED_METRICS, *TRACING_METRICS),
    RECONCILER: RECONCILER_METRICS,
}
"""Every row that a role serves, by role."""


def all_metrics() -> tuple[Metric, ...]:
    """Return every row once, in the order of the roles."""
    return tuple(dict.fromkeys(row for rows in ROLE_METRICS.values() for row in rows))


def roles_of(metric: Metric) -> tuple[str, ...]:
    """Return the roles that serve a metric."""
    return tuple(role for role, rows in ROLE_METRICS.items() if metric in rows)
