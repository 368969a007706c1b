"""The shape of a panel and of a dashboard, and Grafana's JSON of them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Unit = Literal["short", "s", "bytes", "percentunit", "ops", "binBps"]
"""Grafana's names of units; ``ops`` is events a second."""

Shape = Literal["timeseries", "stat", "table"]

SCHEMA_VERSION: Final = 39
COLUMNS: Final = 24
PANEL_HEIGHT: Final = 8
STAT_HEIGHT: Final = 4
TAG: Final = "kascribe"
WINDOW: Final = "$__rate_interval"
"""Grafana's window for rates: four scrapes at least, and no shorter than a pixel."""

_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """One line or several of a panel: PromQL, and the name of each line from its labels (``{{lane}}``)."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. ``width`` is in columns of 24; ``meaning`` says what to read from it."""

    title: str
    queries: Sequence[Query]
    unit: Unit = "short"
    width: int = 8
    shape: Shape = "timeseries"
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard, for one kind of reader."""

    name: str
    title: str
    readers: str
    panels: Sequence[Panel]

    @property
    def expressions(self) -> tuple[str, ...]:
        """Every expression of its panels."""
        return tuple(query.expression for panel in self.panels for query in panel.queries)


def dashboard_file(dashboard: Dashboard) -> str:
    """Return the dashboard as Grafana imports it."""
    document = {
        "uid": f"kascribe-{dashboard.name}",
        "title": dashboard.title,
        "description": dashboard.readers,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [_source_variable()]},
        "links": [_link()],
        "panels": list(_placed(dashboard.panels)),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _placed(panels: Sequence[Panel]) -> Iterator[dict[str, Any]]:
    """Yield the panels in rows from left to right; a row is as high as its highest panel."""
    x = y = row_height = 0
    for number, panel in enumerate(panels, start=1):
        height = STAT_HEIGHT if panel.shape == "stat" else PANEL_HEIGHT
        if x + panel.width > COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        yield _panel(panel, number, {"x": x, "y": y, "w": panel.width, "h": height})
        x, row_height = x + panel.width, max(row_height, height)


def _panel(panel: Panel, number: int, position: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.shape,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": _SOURCE,
        "gridPos": position,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {} if panel.shape != "timeseries" else {"tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": query.expression,
                "legendFormat": query.legend,
                "instant": panel.shape == "table",
                "range": panel.shape != "table",
                "format": "table" if panel.shape == "table" else "time_series",
            }
            for index, query in enumerate(panel.queries)
        ],
    }


def _source_variable() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "label": "Prometheus", "query": "prometheus"}


def _link() -> dict[str, Any]:
    return {
        "title": "Kascribe",
        "type": "dashboards",
        "tags": [TAG],
        "asDropdown": True,
        "icon": "external link",
        "tooltip": "",
        "targetBlank": False,
        "includeVars": True,
        "keepTime": True,
    }
