"""What every role is observed by: rows of the catalogue of metrics, and reports of health checks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]
Unit = Literal[
    "records",
    "objects",
    "windows",
    "connections",
    "requests",
    "processes",
    "tokens",
    "bytes",
    "seconds",
    "characters",
    "offsets",
    "events",
    "spans",
    "ratio",
    "state",
]


@dataclass(frozen=True, slots=True)
class Metric:
    """One row: the name that Prometheus exposes, the unit of its values, and their meaning.

    ``values`` are those of the one label whose values are a closed set: each has its series from the start, since
    ``rate`` and ``increase`` do not see the event that a series appears with.
    """

    name: str
    kind: Kind
    unit: Unit
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()
    values: tuple[str, ...] = ()


DEPENDENCY_DOWN: Final = Metric(
    "kascribe_dependency_down",
    "gauge",
    "state",
    ("dependency",),
    "1 while this service does not answer or intake waits for it, otherwise 0.",
)


BUILD_INFO: Final = Metric(
    "kascribe_build_info",
    "gauge",
    "state",
    ("version", "python", "role", "model", "compute_type", "device"),
    "Always 1. Its labels say what runs; empty where a role has none, or does not know it yet.",
)
CHILD_PROCESSES: Final = Metric(
    "kascribe_child_processes", "gauge", "processes", (), "Child processes, such as decoders."
)
CHILD_MEMORY: Final = Metric(
    "kascribe_child_resident_memory_bytes",
    "gauge",
    "bytes",
    (),
    "Resident memory of those child processes; process_resident_memory_bytes is the process's own.",
)
PROCESS_METRICS: Final = (DEPENDENCY_DOWN, BUILD_INFO, CHILD_PROCESSES, CHILD_MEMORY)
"""What every role serves, beside process_* of prometheus-client."""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The result of a health check, as served: ``reasons`` say why it is not ok, ``facts`` what was checked."""

    ok: bool
    reasons: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
