"""What processes are observed by: metrics and health (``rows``), spans of traces (``spans``, ``tracing``)."""

from schemas.monitoring.rows import (
    BUILD_INFO,
    CHILD_MEMORY,
    CHILD_PROCESSES,
    DEPENDENCY_DOWN,
    PROCESS_METRICS,
    HealthReport,
    Metric,
)

__all__ = [
    "BUILD_INFO",
    "CHILD_MEMORY",
    "CHILD_PROCESSES",
    "DEPENDENCY_DOWN",
    "PROCESS_METRICS",
    "HealthReport",
    "Metric",
]
