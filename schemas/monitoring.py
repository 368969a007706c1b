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
    "tokens",
    "bytes",
    "seconds",
    "characters",
    "offsets",
    "events",
    "ratio",
    "state",
]


@dataclass(frozen=True, slots=True)
class Metric:
    """One row: the name that Prometheus exposes, the unit of its values, and their meaning."""

    name: str
    kind: Kind
    unit: Unit
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


DEPENDENCY_DOWN: Final = Metric(
    "kascribe_dependency_down",
    "gauge",
    "state",
    ("dependency",),
    "1 while this service does not answer or intake waits for it, otherwise 0.",
)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The result of a health check, as served: ``reasons`` say why it is not ok, ``facts`` what was checked."""

    ok: bool
    reasons: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
