"""The real answers of a Prometheus to the queries of the dashboards."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from deploy.monitoring.panel import WINDOW, Dashboard
from deploy.monitoring.server import Prometheus

POINTS: Final = 240
RATE_WINDOW: Final = "30s"
"""Six scrapes: what Grafana would choose for this interval and a short time, roughly."""

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its labels, and its values by time, in seconds since the epoch."""

    labels: Mapping[str, str]
    points: Points


@dataclass(frozen=True, slots=True)
class Answers:
    """The lines of every expression, by dashboard and expression, over one time."""

    begin: float
    end: float
    series: Mapping[tuple[str, str], Sequence[Line]]

    def to_json(self) -> str:
        """Return the answers as text, to draw them again later."""
        lines = [
            [*key, [[dict(line.labels), line.points] for line in found]] for key, found in self.series.items()
        ]
        return json.dumps([self.begin, self.end, lines])

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the answers that ``to_json`` wrote."""
        begin, end, lines = json.loads(text)
        series = {
            (name, expression): [
                Line(labels, tuple((at, value) for at, value in points)) for labels, points in found
            ]
            for name, expression, found in lines
        }
        return cls(begin, end, series)


def answers_of(prometheus: Prometheus, dashboards: Sequence[Dashboard], *, begin: float, end: float) -> Answers:
    """Ask every query of the dashboards. Raises ValueError for one that Prometheus does not understand."""
    step = max(1.0, (end - begin) / POINTS)
    found = {
        (dashboard.name, expression): [
            Line(series["metric"], tuple((float(at), float(value)) for at, value in series["values"]))
            for series in prometheus.query_range(
                expression.replace(WINDOW, RATE_WINDOW), begin=begin, end=end, step_seconds=step
            )
        ]
        for dashboard in dashboards
        for expression in dashboard.expressions
    }
    return Answers(begin, end, found)
